import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ChangeSource, ConsumerChange } from "../../../src/bus/consumers/ports.ts";
import { checkFile } from "../../../src/store/check/check.ts";
import { copyHistory } from "../../../src/store/copy/history-copy.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { openSnapshot } from "../../../src/store/file/snapshot.ts";
import { draft, drafts, range, topicsOf } from "../../contract/log-driver.ts";
import { busErrorCodeOf } from "../../helpers/bus-error.ts";
import { FakeClock } from "../../helpers/clock.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { fillSmallTables } from "../small-tables.ts";

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

/** Two consumers that change with every save: each row names the save; some rows go, some come, and one consumer goes. */
class ChangingConsumers implements ChangeSource {
  readonly rows = 500;
  saves = 0;

  changes(): readonly ConsumerChange[] {
    const save = ++this.saves;
    const lastError = `save ${save}`;
    const state = { settings: "{}", place: 50, isPaused: false, lastError, gaps: 0, secrets: "[]" };
    const task = {
      id: 30,
      gap: undefined,
      lane: "",
      laneFrom: 0,
      isDead: false,
      attempts: 1,
      atMs: 1,
      reason: lastError,
    };
    const put = range(1, this.rows).map((n) => ({ ...task, row: save + n }));
    const other = { name: "other", put: [], removed: [] };
    return [
      { name: "c", state: { ...state, name: "c" }, put, removed: [save] },
      { ...other, state: save % 2 === 0 ? undefined : { ...state, name: "other" } },
    ];
  }

  saved(): void {}
}

describe("a copy of a history", () => {
  test("is intact and holds what was there, whatever is published and pruned meanwhile", async () => {
    const clock = new FakeClock();
    const options = { clock: clock.read, durability: "os" } as const;
    const log = new SqliteEventLog(folder.file(), options, { endsInterval: 64 });
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
    for (const round of range(1, 6)) {
      const headBefore = log.head;
      const path = await backUp(log);
      const { head, floor, events } = await check(path);
      expect([round, head >= headBefore, events]).toEqual([round, true, head - floor + 1]);
    }
    isDone = true;
    await publishing;
    await log.close();
  });

  test("is intact when series come and ends are written between any two of its slices", async () => {
    const found: Database[] = [];
    const connect = (database: Database) => {
      found.push(database);
      return database;
    };
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, { endsInterval: 16, connect });
    const append = (round: number) =>
      log.append(
        range(1, 8).map((n) => draft(n === 8 ? `new.${round}` : `topic.${(round * 8 + n) % 33}`, { round, n })),
      );
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
      const topics = topicsOf(copy);
      expect([copy.health().state, topics.length]).toEqual(["ok", 33 + head / 8]);
      expect(topics.reduce((sum, { count }) => sum + count, 0)).toBe(head);
      await copy.close();
    }
    isDone = true;
    await publishing;
    await log.close();
  });

  test("has the consumers as of one moment, and in slices, whatever is saved between any two of these", async () => {
    const { promise: opened, resolve: connected } = Promise.withResolvers<Database>();
    const connect = (database: Database) => {
      connected(database);
      return database;
    };
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, { connect });
    await log.append(drafts(100));
    const source = new ChangingConsumers();
    log.consumers.attach(source);
    log.consumers.save();
    let isDone = false;
    const first = source.saves;
    const saving = (async () => {
      while (!isDone) {
        log.consumers.save();
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await copyHistory(await opened, log, folder.file("copy.db"), { sliceMs: 0 });
    isDone = true;
    await saving;
    expect((await check(folder.file("copy.db"))).isSound).toBe(true);
    using copy = new Database(folder.file("copy.db"));
    const saves = copy.query("select last_error from consumer union select reason from consumer_delivery").values();
    expect(saves).toHaveLength(1);
    expect(source.saves - first).toBeGreaterThan(source.rows / 64);
    expect((await opened).query("select count(*) from sqlite_temp_schema").values()).toEqual([[0]]);
    await log.close();
  });

  test("continues with the ids, the chains and the keys of the original", async () => {
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, { endsInterval: 16 });
    await log.append(drafts(100), { idempotencyKey: "the key" });
    const path = await backUp(log);
    await log.close();
    const copy = new SqliteEventLog(path);
    expect([copy.floor, copy.head]).toEqual([1, 100]);
    expect(await copy.append(drafts(100), { idempotencyKey: "the key" })).toMatchObject({ replayed: true });
    expect((await copy.append(drafts(1))).events[0]?.id).toBe(101);
    await copy.close();
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

  test("has every row of every table that the schema has", async () => {
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, { endsInterval: 16 });
    for (const n of range(1, 100)) await log.append([draft(`topic.${n}`, n, "source")], { idempotencyKey: `key ${n}` });
    fillSmallTables(log);
    await log.close();
    const source = openSnapshot(folder.file());
    await copyHistory(source, { floor: 1, head: 100 }, folder.file("copy.db"));
    using copy = new Database(folder.file("copy.db"));
    const tables = source.query("select name from sqlite_schema where type = 'table'").values().flat();
    const contents = (database: Database) => tables.map((name) => database.query(`select * from ${name}`).values());
    expect(contents(source).every((rows) => rows.length > 0)).toBe(true);
    expect(contents(copy)).toEqual(contents(source));
    source.close(true);
  });

  test("carries what the pruning has left behind", async () => {
    const clock = new FakeClock();
    const log = new SqliteEventLog(folder.file(), { clock: clock.read });
    await log.append(drafts(50));
    await log.prune({ maxHistory: 0 }, clock.nowMs);
    const { events, floor, head } = await check(await backUp(log));
    await log.close();
    expect([events, floor, head]).toEqual([0, 51, 50]);
  });

  test("is abandoned when it is aborted, and when the log closes", async () => {
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
