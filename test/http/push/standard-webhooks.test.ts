import { expect, test } from "bun:test";
import { verifyWebhook } from "../../../src/client/index.ts";
import type { ConsumerWithSecret } from "../../../src/protocol/consumer.ts";
import { publish } from "../../helpers/http.ts";
import { until } from "../../helpers/inbox.ts";
import { describeWith } from "../../helpers/requires.ts";
import { startService } from "../../helpers/service.ts";

interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Reads one case per line, and prints what the library makes of it: the event, or the name of the error. */
const VERIFY = `
import json, sys
from standardwebhooks import Webhook
for line in sys.stdin:
    case = json.loads(line)
    try:
        print(json.dumps(Webhook(case["secret"]).verify(case["body"], case["headers"])))
    except Exception as error:
        print(json.dumps(type(error).__name__))
`;

describeWith("python-standardwebhooks", "what is pushed, verified in Python by the public library", (python) => {
  async function verdicts(...cases: readonly (Received & { readonly secret: string })[]): Promise<unknown[]> {
    const stdin = new Blob(cases.map((one) => `${JSON.stringify(one)}\n`));
    const child = Bun.spawn([python, "-c", VERIFY], { stdin, stdout: "pipe", stderr: "inherit" });
    const lines = (await new Response(child.stdout).text()).trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line));
  }

  test("is accepted with the secret, also after a rotation, and not when anything was changed", async () => {
    await using service = await startService();
    const received: Received[] = [];
    using endpoint = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        received.push({ headers: Object.fromEntries(request.headers), body: await request.text() });
        return new Response(null, { status: 204 });
      },
    });
    const at = `${service.url}/api/consumers/c`;
    const settings = { pattern: ["a"], push: { url: `http://127.0.0.1:${endpoint.port}/` } };
    const made = await fetch(at, { method: "PUT", body: JSON.stringify(settings) });
    const { secret = "" } = (await made.json()) as ConsumerWithSecret;
    await publish(service.url, "a", "käse 🧀");
    await until(() => received.length === 1, "the first request");
    const rotated = await fetch(`${at}/rotate-secret`, { method: "POST" });
    const { secret: next = "" } = (await rotated.json()) as ConsumerWithSecret;
    await publish(service.url, "a", 2);
    await until(() => received.length === 2, "the second request");
    const [first = { headers: {}, body: "" }, second = first] = received;
    const cheese = expect.objectContaining({ id: 1, topic: "a", data: "käse 🧀" });
    const two = expect.objectContaining({ id: 2, data: 2 });
    const refused = "WebhookVerificationError";
    expect(
      await verdicts(
        { ...first, secret },
        { ...second, secret },
        { ...second, secret: next },
        { ...first, secret: next },
        { ...first, secret, body: first.body.replace("käse", "kase") },
        { ...first, secret, headers: { ...first.headers, "webhook-id": "evt_2" } },
      ),
    ).toEqual([cheese, two, two, refused, refused, refused]);
    expect((await verifyWebhook(next, second.headers, second.body)).event?.data).toBe(2);
  });
});
