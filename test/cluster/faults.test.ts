import { afterEach, beforeEach, expect, test } from "bun:test";
import { connect } from "@nats-io/transport-node";
import type { Entry } from "../../src/bus/ports.ts";
import { encodeEntry } from "../../src/cluster/codec.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";
import { draft, drafts, idsOf, readAll } from "../contract/log-driver.ts";
import { busErrorCodeOf, busRejectionOf } from "../helpers/bus-error.ts";
import { ClusterNode, type NodeOptions } from "../helpers/cluster-node.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";

describeWith("nats-server", "a node of a cluster", () => {
  let nats: NatsServer;
  let folder: TempFolder;
  const opened: ClusterNode[] = [];

  function open(options: Partial<NodeOptions> = {}): ClusterNode {
    const node = new ClusterNode({ url: nats.url, name: "c", path: folder.file("a.db"), ...options });
    opened.push(node);
    return node;
  }

  beforeEach(async () => {
    folder = new TempFolder();
    nats = await NatsServer.start();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((node) => node[Symbol.asyncDispose]()));
    await nats[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await Bun.sleep(5);
  }

  /** Puts bytes into the stream, as a late attempt would. */
  async function inject(bytes: Uint8Array): Promise<void> {
    const connection = await connect({ servers: nats.url });
    await connection.request("c.entries", bytes);
    await connection.close();
  }

  function entry(number: number, topic: string, node = "other"): Entry {
    const append = { kind: "append", drafts: [draft(topic)], idempotencyKey: undefined } as const;
    return { node, number, atMs: Date.now(), changes: [append] };
  }

  test("serves its history while NATS is away, rejects what it cannot store, and resumes by itself", async () => {
    const node = await open({ budgetMs: 1000 }).ready();
    await node.log.append(drafts(3));
    await nats.kill();
    await until(() => node.log.health().state === "disconnected");
    const error = await busRejectionOf(node.log.append(drafts(1)));
    expect([error.code, error.message]).toEqual(["unavailable", expect.stringContaining("nothing was stored")]);
    expect(idsOf(readAll(node.log))).toEqual([1, 2, 3]);
    await nats.start();
    await node.ready();
    expect(idsOf((await node.log.append(drafts(1))).events)).toEqual([4]);
  });

  test("stores what it was sent while NATS restarts", async () => {
    const node = await open().ready();
    await nats.kill();
    const answer = node.log.append(drafts(2));
    await nats.start();
    expect(idsOf((await answer).events)).toEqual([1, 2]);
  });

  test("says that an outcome is unknown when NATS is frozen", async () => {
    const node = await open({ budgetMs: 1000 }).ready();
    nats.freeze();
    const error = await busRejectionOf(node.log.append(drafts(1)));
    expect([error.code, error.message]).toEqual(["unavailable", expect.stringContaining("is unknown")]);
    nats.thaw();
    await until(() => node.log.head === 1);
    expect(idsOf((await node.log.append(drafts(1))).events)).toEqual([2]);
  });

  test("starts without NATS, and serves what it has", async () => {
    const before = await open().ready();
    await before.log.append(drafts(2));
    await before.log.close();
    await nats.kill();
    const node = open();
    expect([idsOf(readAll(node.log)), node.log.health().state]).toEqual([[1, 2], "disconnected"]);
    await nats.start();
    await node.ready();
  });

  test("adopts an entry only once when it comes twice, also after a restart", async () => {
    const node = await open().ready();
    await inject(encodeEntry(entry(1, "a")));
    await inject(encodeEntry(entry(2, "b")));
    await inject(encodeEntry(entry(1, "a")));
    await until(() => node.log.place?.sequence === 3);
    await node.log.close();
    const next = await open().ready();
    await inject(encodeEntry(entry(2, "b")));
    await inject(encodeEntry(entry(3, "c")));
    await until(() => next.log.place?.sequence === 5);
    expect(readAll(next.log).map(({ id, topic }) => `${id} ${topic}`)).toEqual(["1 a", "2 b", "3 c"]);
  });

  test("stops at an entry that it cannot read, and says which", async () => {
    const node = await open().ready();
    await node.log.append(drafts(1));
    await inject(Buffer.from("\u0009{}"));
    await inject(encodeEntry(entry(1, "a")));
    await until(() => node.log.health().state === "failed");
    expect(node.log.health()).toMatchObject({
      detail: expect.stringMatching(/entry 2 .*newer eventbus.*update this node/),
    });
    expect([node.log.head, node.log.place?.sequence]).toEqual([1, 1]);
  });

  test("rejects an append that is too large for NATS, and goes on", async () => {
    const node = await open().ready();
    expect(await busErrorCodeOf(node.log.append([draft("a", "x".repeat(17_000_000))]))).toBe("payload_too_large");
    expect(idsOf((await node.log.append(drafts(1))).events)).toEqual([1]);
  });

  test("refuses a file with events or tokens of its own", async () => {
    const own = new SqliteEventLog(folder.file("own.db"));
    await own.append(drafts(1));
    await own.close();
    const node = open({ path: folder.file("own.db") });
    await until(() => node.log.health().state === "failed");
    expect(node.log.health()).toMatchObject({ detail: expect.stringContaining("eventbus cluster import") });
  });

  test("takes large entries one by one, so that the loop is free between them", async () => {
    const node = await open().ready();
    for (let n = 0; n < 8; n++) await node.log.append(drafts(10_000));
    const batches: number[] = [];
    const next = open({ path: folder.file("b.db") });
    next.log.onCommit((batch) => void batches.push(batch.length));
    await next.ready();
    expect(batches).toEqual(Array(8).fill(10_000));
  });

  test("refuses a different stream, and leaves its file as it is", async () => {
    const node = await open().ready();
    await node.log.append(drafts(2));
    await node.log.close();
    const before = folder.fingerprint();
    const foreign = open({ name: "d", path: folder.copyDatabase(folder.file("a.db"), "b.db") });
    await until(() => foreign.log.health().state === "failed");
    expect(foreign.log.health()).toMatchObject({ detail: expect.stringContaining("no stream d") });
    await foreign.log.close();
    expect(folder.fingerprint()).toMatchObject(before);
  });
});
