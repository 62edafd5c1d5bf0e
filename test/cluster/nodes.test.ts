import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { draft, drafts, idsOf, range, readAll } from "../contract/log-driver.ts";
import { busErrorCodeOf } from "../helpers/bus-error.ts";
import { ClusterNode } from "../helpers/cluster-node.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";

describeWith("nats-server", "two nodes of a cluster", () => {
  let nats: NatsServer;
  let folder: TempFolder;
  let clusters = 0;
  let a: ClusterNode;
  let b: ClusterNode;

  const open = (file: string) =>
    new ClusterNode({ url: nats.url, name: `c${clusters}`, path: folder.file(file) }).ready();

  beforeAll(async () => {
    nats = await NatsServer.start({ syncInterval: "10s" });
  });
  afterAll(() => nats[Symbol.asyncDispose]());

  beforeEach(async () => {
    folder = new TempFolder();
    clusters++;
    [a, b] = await Promise.all([open("a.db"), open("b.db")]);
  });
  afterEach(async () => {
    await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()]);
    folder[Symbol.dispose]();
  });

  /** Resolves once the node has this many events. */
  async function reach(node: ClusterNode, head: number): Promise<void> {
    while (node.log.head < head) await Bun.sleep(1);
  }

  const textsOf = (node: ClusterNode) => readAll(node.log).map(({ json }) => json);

  test("have the same events with the same ids", async () => {
    const first = await a.log.append([draft("a", { n: 1 }, "shop")]);
    expect(idsOf(first.events)).toEqual([1]);
    await reach(b, 1);
    expect(idsOf((await b.log.append(drafts(2, "b"))).events)).toEqual([2, 3]);
    await reach(a, 3);
    expect(textsOf(a)).toEqual(textsOf(b));
    expect(textsOf(a)[0]).toBe(first.events[0]?.json ?? "");
  });

  test("deliver what either of them takes", async () => {
    const seen: number[] = [];
    b.log.onCommit((batch) => void seen.push(...idsOf(batch)));
    for (const node of [a, b, a]) await node.log.append(drafts(2));
    await reach(b, 6);
    expect(seen).toEqual(range(1, 6));
  });

  test("keep the order of each, and agree on the order of both, under load", async () => {
    const calls = range(1, 200).flatMap((n) => [a, b].map((node) => node.log.append([draft("t", n)])));
    const ids = (await Promise.all(calls)).flatMap(({ events }) => idsOf(events));
    expect(new Set(ids).size).toBe(400);
    for (const own of [0, 1]) {
      const ofNode = ids.filter((_, index) => index % 2 === own);
      expect(ofNode).toEqual(ofNode.toSorted((x, y) => x - y));
    }
    await Promise.all([reach(a, 400), reach(b, 400)]);
    expect(textsOf(a)).toEqual(textsOf(b));
  });

  test("store one idempotency key once, whichever node is asked", async () => {
    const options = { idempotencyKey: "k" };
    const [first, second] = await Promise.all([a, b].map((node) => node.log.append([draft("t", 7)], options)));
    expect([first?.replayed, second?.replayed].toSorted()).toEqual([false, true]);
    expect(first?.events[0]?.json).toBe(second?.events[0]?.json ?? "");
    expect(await busErrorCodeOf(b.log.append([draft("t", 8)], options))).toBe("idempotency_conflict");
    await reach(a, 1);
    expect([a.log.head, b.log.head]).toEqual([1, 1]);
  });

  test("give two bodies under one key at once the same verdict", async () => {
    for (const n of range(1, 20)) {
      const options = { idempotencyKey: `k${n}` };
      const answers = await Promise.allSettled(
        [a, b].map((node, body) => node.log.append([draft("t", body)], options)),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    }
    await Promise.all([reach(a, 20), reach(b, 20)]);
    expect(textsOf(a)).toEqual(textsOf(b));
  });

  test("have the same tokens", async () => {
    const record = {
      name: "root",
      hash: "00",
      publish: [],
      subscribe: [],
      consume: [],
      isAdmin: true,
      isMonitor: false,
      createdMs: 1,
      expiresMs: 2,
    };
    const changes: unknown[] = [];
    b.log.tokens.onChange((change) => changes.push(change));
    expect(await a.log.tokens.add(record)).toBe(true);
    expect(await b.log.tokens.add({ ...record, hash: "11" })).toBe(false);
    expect(await a.log.tokens.remove("root", false)).toBe(true);
    expect(await b.log.tokens.remove("root", false)).toBe(false);
    expect(changes).toEqual([{ added: record }, { removed: "root" }]);
  });

  test("keep one of two admin tokens that are revoked at once", async () => {
    const admin = { publish: [], subscribe: [], consume: [], isAdmin: true, isMonitor: false, expiresMs: undefined };
    await a.log.tokens.add({ ...admin, name: "one", hash: "11", createdMs: 1 });
    await a.log.tokens.add({ ...admin, name: "two", hash: "22", createdMs: 1 });
    const answers = await Promise.allSettled([a.log.tokens.remove("one", true), b.log.tokens.remove("two", true)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  test("prune together", async () => {
    await a.log.append(drafts(50));
    await reach(b, 50);
    expect(await b.log.prune({ maxHistory: 10 }, Date.now())).toBe(40);
    while (a.log.floor < 41) await Bun.sleep(1);
    expect(textsOf(a)).toEqual(textsOf(b));
  });

  test("catch up when they come back", async () => {
    await b.log.close();
    await a.log.append(drafts(5000));
    b = await open("b.db");
    expect(b.log.head).toBe(5000);
    expect(textsOf(a)).toEqual(textsOf(b));
  });
});
