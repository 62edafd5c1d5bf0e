import { expect, test } from "bun:test";
import { range } from "../contract/log-driver.ts";
import { Cluster, until } from "../helpers/cluster.ts";
import { post, publish, publishMany, publishSurely } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";
import { TestSocket } from "../helpers/socket.ts";
import { historyOf } from "./model/verdict.ts";

/** While NATS cannot be reached, a publisher is answered within 30 s; the rest is for a slow machine. In milliseconds. */
const PUBLISH_MS = 45_000;
/** 16 MB of `deploy/nats.conf`, less what surrounds a body. */
const ROOM_BYTES = 15e6;

describeWith("nats-server", "while NATS fails, a cluster", () => {
  test("lets a frozen node catch up", async () => {
    await using cluster = await Cluster.start({ nodes: 2, args: ["--max-history", "off"] });
    const [frozen, other] = [cluster.node(0), cluster.node(1)];
    frozen.signal("SIGSTOP");
    const lines = range(1, 2000).map((data) => ({ topic: "a", data }));
    for (let batch = 0; batch < 20; batch++) await publishMany(other.url, lines);
    frozen.signal("SIGCONT");
    expect(await cluster.agreed()).toBe(40_000);
    expect(hashOf(await historyOf(frozen))).toBe(hashOf(await historyOf(other)));
  });

  // Mostly waits, as those do that run at the same time.
  test.concurrent("rejects publishes in time on a minority, where reading goes on, and has one history afterwards", async () => {
    await using cluster = await Cluster.start({ nodes: 2, servers: 3 });
    const minority = await cluster.serverOf(cluster.node(1));
    const cut = await cluster.addNode({ servers: [minority] });
    await publish(cluster.node(0).url, "a", 1);
    await cluster.agreed();
    cluster.nats?.cutOff(minority);
    const began = performance.now();
    const rejected = await post(cut.url, { topic: "a", data: "minority" });
    expect(performance.now() - began).toBeLessThan(PUBLISH_MS);
    expect([rejected.status, rejected.headers.has("Retry-After")]).toEqual([503, true]);
    expect(await rejected.json()).toMatchObject({ code: "unavailable" });
    expect(await historyOf(cut)).toHaveLength(1);
    await until("the node on the minority was ready", async () => (await cut.ask("/readyz")).status === 503);
    await until("it does not say why", async () => /state=disconnected reason=\S/.test(cut.said));
    // This node knows the other servers too.
    await publishSurely(cluster.node(1).url, "a", 2);
    cluster.nats?.rejoin(minority);
    expect(await cluster.agreed()).toBeLessThanOrEqual(3);
    expect(await historyOf(cut)).toEqual(await historyOf(cluster.node(0)));
  });

  test.concurrent("continues by itself after all of NATS was away", async () => {
    await using cluster = await Cluster.start({ nodes: 2 });
    const [server] = cluster.servers;
    using subscriber = await TestSocket.open(cluster.node(1).url, "pattern=*");
    await server?.kill();
    const waiting = publish(cluster.node(0).url, "a", 1);
    await Bun.sleep(2000);
    await server?.start();
    expect(await waiting).toMatchObject({ id: 1 });
    expect(await subscriber.nextJson()).toMatchObject({ id: 1, data: 1 });
    expect(await cluster.agreed()).toBe(1);
  });
});

describeWith("nats-server", "a cluster takes", () => {
  test.concurrent("nothing more once NATS is full, and says so", async () => {
    await using cluster = await Cluster.start({ nodes: 1, nats: { maxStore: "8MB" } });
    const node = cluster.node(0);
    let accepted = 0;
    let answer = await post(node.url, { topic: "a", data: "x".repeat(1e6) });
    while (answer.ok && accepted < 100) {
      accepted++;
      answer = await post(node.url, { topic: "a", data: "x".repeat(1e6) });
    }
    expect(await answer.json()).toMatchObject({ status: 507, code: "storage_full" });
    expect(await historyOf(node)).toHaveLength(accepted);
  });

  test.concurrent("no more than a message of NATS, and says how much that is", async () => {
    await using cluster = await Cluster.start({ nodes: 1, nats: { maxPayload: "1MB" } });
    const node = cluster.node(0);
    const body = (bytes: number) => `${JSON.stringify({ topic: "a", data: "x".repeat(1000) })}\n`.repeat(bytes / 1000);
    // They are not even read: otherwise what is not JSON would be rejected with 400.
    const tooLarge = "x".repeat(2 ** 20 - 1000);
    for (const type of ["application/x-ndjson", "application/json"]) {
      const rejected = await post(node.url, tooLarge, { type });
      expect(await rejected.json()).toMatchObject({ code: "payload_too_large", limit: 2 ** 20 - 1024 });
    }
    const rejected = await post(node.url, { topic: "a", data: "x".repeat(2 ** 20 - 1100) });
    expect(await rejected.json()).toMatchObject({ code: "payload_too_large", limit: 2 ** 20 - 1024 });
    expect((await post(node.url, body(500_000), { type: "application/x-ndjson" })).status).toBe(200);
    expect(await cluster.agreed()).toBe(500);
  });

  test("10,000 lines near the greatest message of NATS, whole", async () => {
    await using cluster = await Cluster.start({ nodes: 2, args: ["--max-body", "2MiB"] });
    const line = { topic: "a", data: "x".repeat(ROOM_BYTES / 10_000 - 20) };
    const lines = range(1, 10_000).map(() => line);
    expect(await publishMany(cluster.node(0).url, lines)).toMatchObject({ count: 10_000, first_id: 1 });
    expect(await cluster.agreed()).toBe(10_000);
  });
});

function hashOf(history: readonly string[]): string {
  return new Bun.CryptoHasher("sha256").update(history.join("\n")).digest("hex");
}
