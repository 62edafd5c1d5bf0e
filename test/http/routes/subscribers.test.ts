import { describe, expect, test } from "bun:test";
import type { SubscriberInfo } from "../../../src/protocol/subscriber.ts";
import { openEdge } from "../../helpers/edge.ts";
import { expectOk, expectProblem, publish } from "../../helpers/http.ts";
import { until } from "../../helpers/inbox.ts";
import { RawSubscriber } from "../../helpers/raw-web-socket.ts";
import { startService } from "../../helpers/service.ts";
import { TestSocket } from "../../helpers/socket.ts";

async function subscribers(url: string, query = ""): Promise<SubscriberInfo[]> {
  return expectOk<SubscriberInfo[]>(await fetch(`${url}/api/subscribers${query}`));
}

describe("GET /api/subscribers", () => {
  test("returns nothing when nothing is connected", async () => {
    await using service = await startService();
    expect(await subscribers(service.url)).toEqual([]);
  });

  test("names each subscriber, by whatever transport, and forgets it when it leaves", async () => {
    await using service = await startService();
    using socket = await TestSocket.open(service.url, "pattern=a.*&pattern=b");
    const leave = new AbortController();
    const stream = await fetch(`${service.url}/api/events/stream`, { signal: leave.signal });
    await stream.body?.getReader().read();
    const usual = { caller: "", address: "127.0.0.1", state: "live", lag: 0, waiting_bytes: 0 } as const;
    const connected_at = expect.stringMatching(/^20\d\d-.+Z$/);
    expect(await subscribers(service.url)).toEqual([
      { ...usual, transport: "websocket", patterns: ["a.*", "b"], connected_at },
      { ...usual, transport: "stream", patterns: ["*"], connected_at },
    ]);
    await socket.ask({ type: "unsubscribe", pattern: "b" });
    leave.abort();
    await until(async () => (await subscribers(service.url)).length === 1, "the stream did not leave the list");
    expect((await subscribers(service.url))[0]?.patterns).toEqual(["a.*"]);
  });

  test("puts the one furthest behind first, and shows that it does not read", async () => {
    await using edge = openEdge();
    using quick = await TestSocket.open(edge.url, "pattern=none");
    using slow = await RawSubscriber.open(edge.url);
    slow.pause();
    const padding = "x".repeat(1_000_000);
    // Until the kernels' buffers are full.
    while (edge.server.subscribers.websocket.live === 2) await edge.bus.publish("a", padding);
    await edge.bus.publish("a", padding);
    const [first, second] = await subscribers(edge.url);
    expect(first).toMatchObject({ patterns: ["*"], state: "slow" });
    expect(first?.lag).toBeGreaterThan(0);
    expect(first?.waiting_bytes).toBeGreaterThan(0);
    expect(second).toMatchObject({ patterns: ["none"], state: "live", lag: 0 });
    expect(await subscribers(edge.url, "?limit=1")).toMatchObject([{ patterns: ["*"] }]);
    await quick.ask({ type: "ping" });
  });

  test("names the token of a subscriber, never its secret", async () => {
    await using edge = openEdge();
    const grants = { publish: [], subscribe: ["a"], consume: [], isMonitor: false, expiresMs: undefined };
    const { secret } = await edge.tokens.create({ name: "root", ...grants, isAdmin: true }, "");
    const headers = { Authorization: `Bearer ${secret}` };
    using _socket = await TestSocket.open(edge.url, "pattern=a", headers);
    const answer = await fetch(`${edge.url}/api/subscribers`, { headers });
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject([{ caller: "token root" }]);
    expect(text).not.toContain(secret);
  });

  test("accepts no more than its limit", async () => {
    await using service = await startService();
    await publish(service.url, "a");
    for (const limit of ["0", "501", "x"]) {
      await expectProblem(await fetch(`${service.url}/api/subscribers?limit=${limit}`), "parameter_invalid");
    }
  });
});
