import { afterEach, beforeEach, expect, test } from "bun:test";
import { connectToNats } from "../../src/cluster/connection.ts";
import { importHistory } from "../../src/cluster/import.ts";
import type { ClusterSettings } from "../../src/cluster/settings.ts";
import { restoreFile } from "../../src/store/copy/restore.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";
import { drafts, idsOf, readAll } from "../contract/log-driver.ts";
import { busErrorCodeOf } from "../helpers/bus-error.ts";
import { ClusterNode } from "../helpers/cluster-node.ts";
import { until } from "../helpers/inbox.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";

describeWith("nats-server", "the import of a single node's history", () => {
  let nats: NatsServer;
  let folder: TempFolder;
  const opened: ClusterNode[] = [];

  beforeEach(async () => {
    folder = new TempFolder();
    nats = await NatsServer.start({ syncInterval: "10s" });
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((node) => node[Symbol.asyncDispose]()));
    await nats[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  function open(file: string): ClusterNode {
    const node = new ClusterNode({ url: nats.url, name: "c", path: folder.file(file) });
    opened.push(node);
    return node;
  }

  async function make(file: string, count = 100): Promise<void> {
    const log = new SqliteEventLog(folder.file(file));
    await log.append(drafts(count), { idempotencyKey: "k" });
    await log.prune({ maxHistory: 50 }, Date.now());
    await log.close();
  }

  async function importFile(file: string): Promise<void> {
    const rest = { monitors: [], token: undefined, credsFile: undefined, tls: undefined };
    const settings: ClusterSettings = { servers: [nats.url], name: "c", replicas: 1, ...rest };
    const signal = new AbortController().signal;
    const connection = await connectToNats(settings, { node: "import", onFailure: () => {}, signal });
    const mirror = new SqliteEventLog(folder.file(file), { isMirror: true });
    try {
      await importHistory(connection, { settings, mirror, clock: Date.now });
    } finally {
      await mirror.close();
      await connection.close();
    }
  }

  test("keeps its ids, keys and floor, and other nodes start from a copy of it", async () => {
    await make("a.db");
    await importFile("a.db");
    const a = await open("a.db").ready();
    expect(await a.log.append(drafts(100), { idempotencyKey: "k" })).toMatchObject({ replayed: true });
    expect(idsOf((await a.log.append(drafts(1))).events)).toEqual([101]);
    const b = open("b.db");
    const copy = await b.copied;
    await b.log.close();
    const reports = { onProgress: () => {}, onWarning: () => {} };
    await restoreFile(copy, folder.file("b.db"), folder.file("aside.db"), reports);
    const next = await open("b.db").ready();
    await until(() => next.log.head === 101);
    expect(readAll(next.log).map(({ json }) => json)).toEqual(readAll(a.log).map(({ json }) => json));
    expect(next.log.floor).toBe(51);
  });

  test("may be repeated when it was cut short after the stream had it", async () => {
    await make("a.db");
    folder.copyDatabase(folder.file("a.db"), "again.db");
    await importFile("a.db");
    await importFile("again.db");
    const node = await open("again.db").ready();
    expect(idsOf((await node.log.append(drafts(1))).events)).toEqual([101]);
  });

  test("is refused for the file of a node, and by a cluster that has begun", async () => {
    await make("a.db");
    await make("other.db", 70);
    await importFile("a.db");
    expect(await busErrorCodeOf(importFile("a.db"))).toBe("unavailable");
    const before = folder.fingerprint();
    expect(await busErrorCodeOf(importFile("other.db"))).toBe("unavailable");
    expect(folder.fingerprint()["a.db"]).toBe(before["a.db"]);
    expect(new SqliteEventLog(folder.file("other.db"), { isMirror: true }).place).toBeUndefined();
  });
});
