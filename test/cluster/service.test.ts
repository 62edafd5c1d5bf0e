import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Stats } from "../../src/client/stats.ts";
import type { Problem } from "../../src/protocol/problem.ts";
import { expectOk, expectProblem, post, publish } from "../helpers/http.ts";
import { until } from "../helpers/inbox.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";
import { startService, type TestService } from "../helpers/service.ts";
import { TestSocket } from "../helpers/socket.ts";

describeWith("nats-server", "two services of a cluster", () => {
  let nats: NatsServer;
  let a: TestService;
  let b: TestService;

  const isReady = async ({ url }: TestService) => (await fetch(`${url}/readyz`)).ok;
  const statsOf = async ({ url }: TestService) => expectOk<Stats>(await fetch(`${url}/api/stats`));

  beforeAll(async () => {
    nats = await NatsServer.start({ syncInterval: "10s" });
    const config = { cluster: [nats.url], clusterReplicas: 1 };
    [a, b] = await Promise.all([startService(config), startService(config)]);
    await until(async () => (await isReady(a)) && (await isReady(b)));
  });
  afterAll(async () => {
    await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()]);
    await nats[Symbol.asyncDispose]();
  });

  test("deliver to subscribers of one what is published to the other", async () => {
    using socket = await TestSocket.open(b.url, "pattern=a.*");
    const event = await publish(a.url, "a.x", { n: 1 });
    expect(await socket.nextJson()).toEqual({ ...event });
  });

  test("report their own state, and which nodes there are", async () => {
    await publish(a.url, "a");
    await until(async () => (await statsOf(b)).cluster?.nodes.length === 2);
    const { cluster } = await statsOf(b);
    expect(cluster).toMatchObject({ name: "eventbus", behind: 0, connected: true, reconnects: 0 });
    expect(cluster?.nodes.map(({ node }) => node)).toContain(cluster?.node ?? "");
    const metrics = await (await fetch(`${a.url}/metrics`)).text();
    expect(metrics).toMatch(/^eventbus_cluster_connected 1$/m);
    expect(metrics).toMatch(/^eventbus_cluster_ack_duration_seconds_count [1-9]/m);
  });

  test("recognise an Idempotency-Key that the other one has seen", async () => {
    const first = await post(a.url, { topic: "a", data: 1 }, { key: "one" });
    const repeat = await post(b.url, { topic: "a", data: 1 }, { key: "one" });
    expect(repeat.headers.get("Idempotency-Replayed")).toBe("true");
    expect(await repeat.json()).toEqual(await first.json());
    await expectProblem(await post(b.url, { topic: "a", data: 2 }, { key: "one" }), "idempotency_conflict");
  });

  test("say that they are disconnected while NATS is away, and still serve reads", async () => {
    await nats.kill();
    await until(async () => !(await isReady(a)));
    const problem = (await (await fetch(`${a.url}/readyz`)).json()) as Problem;
    expect(problem).toMatchObject({ code: "unavailable", state: "disconnected" });
    expect((await fetch(`${a.url}/api/events/history`)).status).toBe(200);
    await nats.start();
    await until(async () => (await isReady(a)) && (await isReady(b)));
    expect((await statsOf(a)).cluster?.reconnects).toBe(1);
  });

  // The last test, as anonymous access ends with it.
  test("accept a token that the other one has made, and drop its connections when it is revoked there", async () => {
    const create = async (url: string, body: object, token = ""): Promise<string> => {
      const response = await fetch(`${url}/api/tokens`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: token === "" ? {} : { Authorization: `Bearer ${token}` },
      });
      const { secret } = (await response.json()) as { secret: string };
      return secret;
    };
    const root = await create(a.url, { name: "root", admin: true });
    await until(async () => (await fetch(`${b.url}/api/events/history`)).status === 401);
    const reader = await create(b.url, { name: "reader", subscribe: ["*"] }, root);
    const headers = { Authorization: `Bearer ${reader}` };
    const socket = await TestSocket.open(b.url, "", headers);
    await until(async () => (await fetch(`${a.url}/api/events/history`, { headers })).ok);
    await fetch(`${a.url}/api/tokens/reader`, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${root}` },
    });
    expect((await socket.closed).code).toBe(1008);
    expect((await fetch(`${b.url}/api/events/history`, { headers })).status).toBe(401);
  });
});
