import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { checkFile } from "../../../src/store/check/check.ts";
import { copyHistory } from "../../../src/store/copy/history-copy.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { openSnapshot } from "../../../src/store/file/snapshot.ts";
import { makeHistory } from "../../../src/store/file/sqlite.ts";
import { busErrorCodeOf } from "../../contract/bus-error-code.ts";
import { draft, drafts, range, topicsOf } from "../../contract/log-driver.ts";
import { FakeClock } from "../../helpers/clock.ts";
import { TempFolder } from "../../helpers/temp.ts";

let folder: TempFolder;
beforeEach(() => {
  folder = new TempFolder();
});
afterEach(() => folder[Symbol.dispose]());

const never = new AbortController().signal;

/** The bytes of a backup as a file of its own. */
async function backUp(log: SqliteEventLog, signal = never): Promise<string> {
  await using copy = await log.backup(signal);
  const path = folder.file("copy.db");
  const file = Bun.file(path).writer();
  for (let bytes = await copy.read(); bytes.length > 0; bytes = await copy.read()) file.write(bytes);
  await file.end();
  return path;
}

/** What the check says of a copy; everything that is damaged fails the test. */
function check(path: string) {
  return checkFile(path, { onDamage: (detail) => expect(detail).toBe("") });
}

describe("a copy of a history", () => {
  test("is sound and holds what was there, whatever is published, indexed and pruned meanwhile", async () => {
    const clock = new FakeClock();
    const options = { clock: clock.read, durability: "os" } as const;
    const log = new SqliteEventLog(folder.file(), options, { segmentSize: 64, sealSlice: 3 });
    let isDone = false;
    const publishing = (async () => {
      for (let id = 1; !isDone; id++) {
        const options = id % 5 === 0 ? { idempotencyKey: `key ${id}` } : {};
        await log.append(
          range(1, 7).map((n) => draft(`topic.${(id * n) % 40}`, "x".repeat(2000))),
          options,
        );
        if (id % 50 === 0) void log.prune({ maxHistory: 1500 }, clock.nowMs);
      }
    })();
    for (const round of range(1, 12)) {
      const headBefore = log.head;
      const path = await backUp(log);
      const { head, floor, events } = await check(path);
      expect([round, head >= headBefore, events]).toEqual([round, true, head - floor + 1]);
    }
    isDone = true;
    await publishing;
    await log.close();
  });

  test("is sound when segments are indexed between any two of its slices", async () => {
    const found: Database[] = [];
    const connect = (database: Database) => {
      found.push(database);
      return database;
    };
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, { segmentSize: 16, sealSlice: 1, connect });
    const append = (round: number) =>
      log.append(range(1, 8).map((n) => draft(`topic.${(round * 8 + n) % 33}`, { round, n })));
    for (const round of range(1, 100)) await append(round);
    let isDone = false;
    const publishing = (async () => {
      for (let round = 101; !isDone; round++) await append(round);
    })();
    const [database] = found;
    if (database === undefined) throw new Error("the log has no connection");
    for (const round of range(1, 5)) {
      await copyHistory(database, log, folder.file("copy.db"), { sliceMs: 0 });
      const { events, head } = await check(folder.file("copy.db"));
      expect([round, events]).toEqual([round, head]);
      const copy = new SqliteEventLog(folder.file("copy.db"));
      expect([copy.health().state, topicsOf(copy).length]).toEqual(["ok", 33]);
      await copy.close();
    }
    isDone = true;
    await publishing;
    await log.close();
  });

  test("goes on with the ids, the index and the keys of the original", async () => {
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, { segmentSize: 16 });
    await log.append(drafts(100), { idempotencyKey: "the key" });
    const path = await backUp(log);
    await log.close();
    const copy = new SqliteEventLog(path);
    expect([copy.floor, copy.head]).toEqual([1, 100]);
    expect(await copy.append(drafts(100), { idempotencyKey: "the key" })).toMatchObject({ replayed: true });
    expect((await copy.append(drafts(1))).events[0]?.id).toBe(101);
    await copy.close();
  });

  test("knows whose its newest events are without reading them", async () => {
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, { segmentSize: 64 });
    await log.append(range(1, 50).map((id) => draft(`topic.${id % 2}`)));
    const path = await backUp(log);
    await log.close();
    const database = new Database(path);
    database.run("update event set series_id = 99 where id <= 48");
    database.close(true);
    const copy = new SqliteEventLog(path);
    expect(topicsOf(copy).map(({ count }) => count)).toEqual([25, 25]);
    await copy.close();
  });

  test("has no block of what is damaged", async () => {
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, { segmentSize: 64 });
    await log.append(drafts(12));
    await log.close();
    const source = new Database(folder.file());
    source.run("update event set series_id = 7 where id = 2");
    source.run("delete from event where id = 5");
    await copyHistory(source, { floor: 1, head: 12 }, folder.file("copy.db"));
    source.close(true);
    const copy = new Database(folder.file("copy.db"));
    expect(copy.query("select first_id from tail").values()).toEqual([[9]]);
    copy.close();
  });

  test("leaves out the keys of what was published later", async () => {
    const log = new SqliteEventLog(folder.file(), { durability: "os" });
    await log.append(drafts(3), { idempotencyKey: "earlier" });
    await log.append(drafts(2), { idempotencyKey: "later" });
    await log.close();
    const source = openSnapshot(folder.file());
    await copyHistory(source, { floor: 1, head: 3 }, folder.file("copy.db"));
    source.close(true);
    const copy = new Database(folder.file("copy.db"));
    expect(copy.query("select key from idempotency_key").values()).toEqual([["earlier"]]);
    copy.close();
  });

  test("carries every table that the schema has", () => {
    const database = makeHistory(folder.file());
    const tables = database.query("select name from sqlite_schema where type = 'table' order by name").values().flat();
    database.close(true);
    const inSlices = ["event", "idempotency_key", "posting", "series", "tail"];
    // A table that is named nowhere here is copied in one go: name it here if it stays small, or copy it in slices.
    const small = ["meta", "token"];
    expect(tables.filter((name) => ![...inSlices, ...small].includes(String(name)))).toEqual([]);
  });

  test("carries what the pruning has left behind", async () => {
    const clock = new FakeClock();
    const log = new SqliteEventLog(folder.file(), { clock: clock.read }, { segmentSize: 8 });
    await log.append(drafts(50));
    await log.prune({ maxHistory: 0 }, clock.nowMs);
    const { events, floor, head } = await check(await backUp(log));
    await log.close();
    expect([events, floor, head]).toEqual([0, 51, 50]);
  });

  test("is given up when nobody wants it any more, and when the log closes", async () => {
    const log = new SqliteEventLog(folder.file(), { durability: "os" });
    await log.append(drafts(1));
    await expect(log.backup(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    for (const _ of range(1, 30)) await log.append(drafts(4000));
    const given = busErrorCodeOf(log.backup(never));
    await new Promise((resolve) => setImmediate(resolve));
    await log.close();
    expect(await given).toBe("shutting_down");
  });
});
