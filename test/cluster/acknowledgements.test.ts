import { expect, test } from "bun:test";
import { range } from "../contract/log-driver.ts";
import { Cluster, type Node } from "../helpers/cluster.ts";
import { post, publish, publishSurely } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";
import { historyOf } from "./model/verdict.ts";

describeWith("nats-server", "an event is stored once, and all nodes agree, when", () => {
  test("the acknowledgement of NATS is lost", async () => {
    await using cluster = await Cluster.start({ nodes: 2 });
    const node = cluster.node(0);
    for (const n of range(1, 2)) {
      node.loseInside('{"stream":"eventbus"');
      expect(await publish(node.url, "a", n)).toMatchObject({ id: n, data: n });
    }
    await expectSame(cluster, 2);
  });

  // It mostly waits, as the next one does.
  test.concurrent("the leader of the stream is killed under load", async () => {
    await using cluster = await Cluster.start({ nodes: 2, servers: 3 });
    const leader = await cluster.nats?.untilLeader("eventbus");
    const answers = range(1, 100).map((n) => publishSurely(cluster.node(n % 2).url, "a", n));
    await leader?.kill();
    const late = range(101, 200).map((n) => publishSurely(cluster.node(n % 2).url, "a", n));
    const ids = (await Promise.all([...answers, ...late])).map(({ id }) => id);
    expect(ids.toSorted((x, y) => x - y)).toEqual(range(1, 200));
    await expectSame(cluster, 200);
  });

  test.concurrent("NATS was frozen for longer than one attempt, so the entry is under way twice", async () => {
    await using cluster = await Cluster.start({ nodes: 2 });
    const [server] = cluster.servers;
    server?.freeze();
    const answers = range(1, 10).map((n) => publishSurely(cluster.node(0).url, "a", n));
    await Bun.sleep(7000);
    server?.thaw();
    await Promise.all(answers);
    await expectSame(cluster, 10);
  });

  test("a node is killed before it responds, and another one is asked with the same key", async () => {
    await using cluster = await Cluster.start({ nodes: 2 });
    const [victim, other] = [cluster.node(0), cluster.node(1)];
    for (const n of range(1, 10)) {
      const lost = keyed(victim, n).catch(() => undefined);
      await Bun.sleep(n % 4);
      await victim.kill();
      await lost;
      expect(await (await keyed(other, n)).json()).toMatchObject({ data: n });
      await victim.start();
      await victim.ready();
    }
    const values = (await historyOf(other)).map((line) => JSON.parse(line).data);
    expect(values).toEqual(range(1, 10));
    await expectSame(cluster, 10);
  });

  test("two nodes are asked at once with one key", async () => {
    await using cluster = await Cluster.start({ nodes: 2 });
    for (const n of range(1, 20)) {
      const answers = await Promise.all(cluster.nodes.map((node) => keyed(node, n)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(answers.filter(({ headers }) => headers.has("Idempotency-Replayed"))).toHaveLength(1);
      const [first, second] = await Promise.all(answers.map((answer) => answer.text()));
      expect(first).toBe(second ?? "");
    }
    await expectSame(cluster, 20);
  });

  test("two nodes are asked at once with one key and two bodies", async () => {
    await using cluster = await Cluster.start({ nodes: 2 });
    for (const n of range(1, 20)) {
      const ask = (node: Node, body: number) => keyed(node, n, body);
      const statuses = await Promise.all(cluster.nodes.map(async (node, index) => (await ask(node, index)).status));
      expect(statuses.toSorted()).toEqual([200, 409]);
      const again = await Promise.all(
        cluster.nodes.map(async (node) => (await ask(node, statuses.indexOf(200))).status),
      );
      expect(again).toEqual([200, 200]);
    }
    await expectSame(cluster, 20);
  });
});

function keyed(node: Node, key: number, data = key): Promise<Response> {
  return post(node.url, { topic: "a", data }, { key: `key-${key}` });
}

async function expectSame(cluster: Cluster, events: number): Promise<void> {
  expect(await cluster.agreed()).toBe(events);
  const [first, ...others] = await Promise.all(cluster.nodes.map(historyOf));
  for (const other of others) expect(other).toEqual(first ?? []);
}
