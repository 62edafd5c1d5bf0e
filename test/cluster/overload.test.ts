import { expect, test } from "bun:test";
import { Bus } from "../../src/index.ts";
import { range } from "../contract/log-driver.ts";
import { Cluster, until } from "../helpers/cluster.ts";
import { ClusterNode } from "../helpers/cluster-node.ts";
import { serve } from "../helpers/edge.ts";
import { expectProblem, post, publish } from "../helpers/http.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";
import { historyOf } from "./model/verdict.ts";

describeWith("nats-server", "a cluster whose NATS", () => {
  test("is overloaded rejects what it cannot store, with 503, stores nothing of it, and goes on", async () => {
    using folder = new TempFolder();
    // The larger event is more than may wait to be stored, however often it is tried.
    await using nats = await NatsServer.start({ maxBuffered: "4KB" });
    await using node = new ClusterNode({ url: nats.url, name: "c", path: folder.file(), budgetMs: 1000 });
    await node.ready();
    const server = serve(new Bus(node.log));
    try {
      const rejected = await post(server.url, { topic: "a", data: "x".repeat(10_000) });
      expect(rejected.headers.get("Retry-After")).toBe("1");
      const { detail } = await expectProblem(rejected, "unavailable");
      expect(detail).toMatch(/overloaded.*nothing was stored/);
      expect(nats.said).toContain("excessive stream ingest rate");
      expect(await publish(server.url, "a", "small")).toMatchObject({ id: 1 });
      expect([node.log.head, node.log.place?.sequence]).toEqual([1, 1]);
    } finally {
      await server.stop();
    }
  });

  test("has a follower that is slow, and then frozen, accepts every publish on the majority", async () => {
    await using cluster = await Cluster.start({ nodes: 1, servers: 3, nats: { syncInterval: "10s" } });
    const node = cluster.node(0);
    expect(await publish(node.url, "a", 0)).toMatchObject({ id: 1 });
    const needed = [await cluster.nats?.untilLeader("eventbus"), await cluster.serverOf(node)];
    const slow = cluster.servers.find((server) => !needed.includes(server));
    for (const n of range(1, 200)) {
      if (n <= 100 && n % 10 === 9) slow?.thaw();
      else if (n <= 101 && n % 10 === 1) slow?.freeze();
      expect((await post(node.url, { topic: "a", data: n })).status).toBe(200);
    }
    slow?.thaw();
    const values = (await historyOf(node)).map((line) => JSON.parse(line).data);
    expect(values).toEqual(range(0, 200));
    await until("the follower has not caught up", async () => {
      return new Set(await Promise.all(cluster.servers.map(lastOf))).size === 1;
    });
  });
});

/** The last entry of the stream that this server has. */
async function lastOf(server: NatsServer): Promise<number> {
  const body = JSON.stringify(await server.monitor("/jsz?streams=true&accounts=true"));
  const [, last] = /"last_seq":(\d+)/.exec(body) ?? [];
  if (last === undefined) throw new Error("the server has no stream");
  return Number(last);
}
