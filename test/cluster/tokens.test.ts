import { expect, test } from "bun:test";
import { Cluster } from "../helpers/cluster.ts";
import { post, publish } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";

describeWith("nats-server", "a node that has not read all entries of its cluster", () => {
  test("asks its clients to come back, as it does not know all tokens", async () => {
    await using cluster = await Cluster.start({ nodes: 1 });
    const node = cluster.node(0);
    await publish(node.url, "a");
    await node.stop();
    node.cutOff();
    await node.start();
    for (const headers of [{}, { Authorization: "Bearer ebt_unknown" }]) {
      const answer = await node.ask("/api/events/history", { headers });
      expect([answer.status, answer.headers.has("Retry-After")]).toEqual([503, true]);
    }
    node.rejoin();
    await node.ready();
    expect((await post(node.url, { topic: "a" })).status).toBe(200);
  });
});
