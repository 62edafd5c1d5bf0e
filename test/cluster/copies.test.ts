import { afterEach, beforeEach, expect, test } from "bun:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { Place } from "../../src/bus/ports.ts";
import { newStream } from "../../src/cluster/stream-config.ts";
import { restoreFile } from "../../src/store/copy/restore.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";
import { draft, drafts, idsOf, readAll } from "../contract/log-driver.ts";
import { ClusterNode } from "../helpers/cluster-node.ts";
import { until } from "../helpers/inbox.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";

/** The first entry that the stream still has. */
const FIRST = 1000;

describeWith("nats-server", "a node that the stream has overtaken", () => {
  let nats: NatsServer;
  let folder: TempFolder;
  let created: Pick<Place, "createdS" | "createdNs">;
  const opened: ClusterNode[] = [];

  function open(file: string): ClusterNode {
    const node = new ClusterNode({ url: nats.url, name: "c", path: folder.file(file) });
    opened.push(node);
    return node;
  }

  /** Makes a history that has adopted entries up to a place. */
  async function make(file: string, sequence: number, events: number): Promise<void> {
    const log = new SqliteEventLog(folder.file(file), { isMirror: true, durability: "os" });
    const append = { kind: "append", drafts: drafts(events), idempotencyKey: "k" } as const;
    log.adopt([{ node: "old", number: 1, atMs: Date.now(), changes: [append] }], { sequence, ...created });
    await log.close();
  }

  async function replace(file: string, copy: string): Promise<void> {
    const reports = { onProgress: () => {}, onWarning: () => {} };
    await restoreFile(copy, folder.file(file), folder.file(`${file}.aside`), reports);
  }

  beforeEach(async () => {
    folder = new TempFolder();
    nats = await NatsServer.start({ syncInterval: "10s" });
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    const info = await manager.streams.add({ ...newStream("c", 1), first_seq: FIRST });
    const [whole = "", fraction = "0"] = info.created.replace("Z", "").split(".");
    created = { createdS: Date.parse(`${whole}Z`) / 1000, createdNs: Number(fraction.padEnd(9, "0")) };
    await connection.close();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((node) => node[Symbol.asyncDispose]()));
    await nats[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  for (const [what, prepare] of [
    ["because it is new", async () => {}],
    ["because it was away for too long", () => make("b.db", FIRST - 500, 3)],
  ] as const) {
    test(`${what}, starts again from the copy of another node`, async () => {
      await make("a.db", FIRST - 1, 5000);
      await prepare();
      const a = await open("a.db").ready();
      const b = open("b.db");
      const copy = await b.copied;
      expect(b.log.health()).toMatchObject({ state: "failed", detail: expect.stringContaining("copy of another") });
      await a.log.append([draft("after")]);
      await b.log.close();
      await replace("b.db", copy);
      const next = await open("b.db").ready();
      await until(() => next.log.head === 5001);
      expect(readAll(next.log).map(({ json }) => json)).toEqual(readAll(a.log).map(({ json }) => json));
      expect(await next.log.append(drafts(5000), { idempotencyKey: "k" })).toMatchObject({ replayed: true });
      expect(idsOf((await next.log.append(drafts(1))).events)).toEqual([5002]);
    });
  }

  test("waits for a node that has one", async () => {
    await make("b.db", FIRST - 500, 3);
    const b = open("b.db");
    await until(() => b.log.health().state === "failed");
    expect(idsOf(readAll(b.log))).toEqual([1, 2, 3]);
    await make("a.db", FIRST - 1, 10);
    await open("a.db").ready();
    await b.copied;
  });
});
