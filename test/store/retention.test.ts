import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { type LogInternals, SqliteEventLog } from "../../src/store/event-log.ts";
import { MAX_SLICE_EVENTS } from "../../src/store/retention.ts";
import { draft, drafts, idsOf, range, readAll, startingWith, topicsOf } from "../contract/log-driver.ts";
import { FakeClock } from "../helpers/clock.ts";
import { FaultyConnection } from "../helpers/fault.ts";
import { TempFolder } from "../helpers/temp.ts";

let folder: TempFolder;
let clock: FakeClock;
let connection: FaultyConnection;
let log: SqliteEventLog;

beforeEach(() => {
  folder = new TempFolder();
  clock = new FakeClock();
  open();
});

afterEach(async () => {
  await log.close();
  folder[Symbol.dispose]();
});

function open(internals: LogInternals = {}): void {
  connection = new FaultyConnection();
  const options = { durability: "os", clock: clock.read } as const;
  log = new SqliteEventLog(folder.file(), options, { connect: connection.connect, ...internals });
}

/** Appends `count` events of this size. */
async function fill(count: number, bytes: number): Promise<void> {
  for (let left = count; left > 0; left -= 100) {
    await log.append(Array.from({ length: Math.min(left, 100) }, () => draft("a", "x".repeat(bytes))));
  }
}

function rowsOf(table: string): number {
  return Number(connection.database.query(`select count(*) from ${table}`).values()[0]?.[0]);
}

async function reopenEmpty(internals: LogInternals): Promise<void> {
  await log.close();
  folder[Symbol.dispose]();
  folder = new TempFolder();
  open(internals);
}

/** How far the floor moved in each turn of the loop until `until` resolves. */
async function stepsOfFloor(until: Promise<unknown>): Promise<number[]> {
  const steps: number[] = [];
  let isDone = false;
  void until.finally(() => {
    isDone = true;
  });
  for (let floor = log.floor; !isDone; floor = log.floor) {
    await new Promise((resolve) => setImmediate(resolve));
    if (log.floor > floor) steps.push(log.floor - floor);
  }
  return steps;
}

/** Does the work again and again until `until` resolves. */
async function busyUntil(until: Promise<unknown>, work: () => Promise<unknown>): Promise<void> {
  let isDone = false;
  void until.finally(() => {
    isDone = true;
  });
  while (!isDone) await work();
  await until;
}

describe("pruning", () => {
  test("goes in slices of a bounded number of events, with turns of the loop between them", async () => {
    await log.append(drafts(5000));
    await log.append(drafts(5000));
    const steps = await stepsOfFloor(log.prune({ maxHistory: 100 }, clock.nowMs));
    expect(Math.max(...steps)).toBeLessThanOrEqual(MAX_SLICE_EVENTS);
    expect(steps.length).toBeGreaterThanOrEqual(9900 / MAX_SLICE_EVENTS);
    expect(log.floor).toBe(9901);
  });

  test("goes in slices of a bounded number of bytes", async () => {
    await fill(60, 300_000);
    const steps = await stepsOfFloor(log.prune({ maxHistory: 0 }, clock.nowMs));
    expect(Math.max(...steps)).toBeLessThanOrEqual(3);
    expect(log.floor).toBe(61);
  });

  test("does not go in smaller slices because the disk is slow", async () => {
    for (const _ of range(1, 5)) await log.append(drafts(2000));
    connection.commitMs = 10;
    const steps = await stepsOfFloor(log.prune({ maxHistory: 100 }, clock.nowMs));
    expect(log.floor).toBe(9901);
    // Some twelve; of the smallest slices it would be 495.
    expect(steps.length).toBeLessThan(150);
  });

  test("gives space back in pieces that are no smaller because the disk is slow", async () => {
    await fill(1000, 20_000);
    const { commits } = connection;
    connection.commitMs = 10;
    await log.prune({ maxHistory: 0 }, clock.nowMs);
    expect(log.size().usedBytes).toBeLessThan(1_000_000);
    // 5,000 pages, 64 or 8 at a time.
    expect(connection.commits - commits).toBeLessThan(300);
  });

  test("removes events faster than they are appended meanwhile", async () => {
    for (const _ of range(1, 5)) await log.append(drafts(4000));
    const before = log.head;
    const steps = await stepsOfFloor(
      busyUntil(log.prune({ maxHistory: 0 }, clock.nowMs), () => log.append(drafts(4000))),
    );
    expect(log.floor).toBe(before + 1);
    expect(steps.length).toBeLessThan(10);
  });

  test("removes bytes faster than they are appended meanwhile", async () => {
    await fill(60, 300_000);
    const appendMore = () => log.append(Array.from({ length: 10 }, () => draft("a", "x".repeat(300_000))));
    const steps = await stepsOfFloor(busyUntil(log.prune({ maxHistory: 0 }, clock.nowMs), appendMore));
    expect(log.floor).toBe(61);
    expect(steps.length).toBeLessThan(12);
  });

  test("lets appends and reads in between", async () => {
    await log.append(drafts(5000));
    const pruning = log.prune({ maxHistory: 1000 }, clock.nowMs);
    const { events } = await log.append(drafts(1));
    expect(idsOf(events)).toEqual([5001]);
    expect(log.floor).toBeLessThan(4001);
    await pruning;
    expect(idsOf(readAll(log))).toEqual(range(4001, 5001));
  });

  test("ends early when the log is closed, and continues after it is opened again", async () => {
    await log.append(drafts(5000));
    const pruning = log.prune({ maxHistory: 10 }, clock.nowMs);
    await log.close();
    const first = await pruning;
    expect(first).toBeLessThan(4990);
    open();
    expect(log.floor).toBe(first + 1);
    expect(await log.prune({ maxHistory: 10 }, clock.nowMs)).toBe(4990 - first);
  });

  test("leaves nothing of what is gone", async () => {
    await reopenEmpty({ endsInterval: 16 });
    for (const round of range(1, 600)) {
      await log.append([...drafts(3, `topic.${round}`), draft("steady"), draft(`once.${round}`)]);
      if (round % 30 === 0) await log.prune({ maxHistory: 30 }, clock.nowMs);
    }
    await log.prune({ maxHistory: 10 }, clock.nowMs);
    expect([rowsOf("event"), rowsOf("series")]).toEqual([10, 5]);
    await log.append(drafts(100, "steady"));
    await log.append(drafts(100, "steady"));
    expect(rowsOf("series_end")).toBe(2);
  });

  test("writes nothing but what goes, and how far it went", async () => {
    await log.append(range(1, 200).map((id) => draft(`topic.${id % 10}`)));
    connection.statements.length = 0;
    await log.prune({ maxHistory: 150 }, clock.nowMs);
    const writes = connection.statements.filter((sql) => !/^(select|begin|commit|pragma)/.test(sql));
    expect([...new Set(writes)].map((sql) => sql.split(" ").slice(0, 3).join(" "))).toEqual([
      "delete from idempotency_key",
      "delete from event",
      "update meta set",
    ]);
    expect(topicsOf(log).map(({ count }) => count)).toEqual(Array(10).fill(15));
    await log.close();
    open();
    expect(topicsOf(log).map(({ count }) => count)).toEqual(Array(10).fill(15));
  });

  test("lets a topic come back that was removed, and finds only what came after", async () => {
    await log.append([draft("a"), draft("b"), draft("a"), draft("b")]);
    await log.prune({ maxHistory: 1 }, clock.nowMs);
    await log.append([draft("a"), draft("c")]);
    for (const _ of range(1, 2)) {
      expect(topicsOf(log).map(({ topic, count, last_id }) => [topic, count, last_id])).toEqual([
        ["a", 1, 5],
        ["b", 1, 4],
        ["c", 1, 6],
      ]);
      expect(idsOf(readAll(log, { topics: startingWith("a") }))).toEqual([5]);
      await log.close();
      open();
    }
    expect(log.health()).toEqual({ state: "ok" });
  });

  test("forgets expired idempotency keys, a slice at a time", async () => {
    await Promise.all(range(1, 1200).map((key) => log.append(drafts(1), { idempotencyKey: `k${key}` })));
    clock.advance(600_001);
    await log.append(drafts(1), { idempotencyKey: "new" });
    await log.prune({}, clock.nowMs);
    expect(rowsOf("idempotency_key")).toBe(1);
  });

  test("passes an event that is lost, and its series", async () => {
    await log.append([draft("lost"), draft("a")]);
    await log.close();
    const database = new Database(folder.file());
    database.run("delete from event where id = 1");
    database.close(true);
    open();
    expect(await log.prune({ maxHistory: 1 }, clock.nowMs)).toBe(0);
    expect([log.floor, topicsOf(log).map(({ topic }) => topic)]).toEqual([2, ["a"]]);
    await log.close();
    open();
    expect(log.health()).toEqual({ state: "ok" });
    await log.append([draft("a")]);
    await log.prune({ maxHistory: 1 }, clock.nowMs);
    expect(rowsOf("series")).toBe(1);
  });
});

describe("the file", () => {
  test("gives space back", async () => {
    await fill(400, 20_000);
    const before = log.size();
    await log.prune({ maxHistory: 20 }, clock.nowMs);
    expect(statSync(folder.file()).size).toBeLessThan(before.fileBytes / 4);
    expect(log.size().fileBytes).toBe(statSync(folder.file()).size + statSync(`${folder.file()}-wal`).size);
    expect(log.size().usedBytes).toBeLessThan(before.usedBytes / 10);
  });

  test("keeps some space for what comes next", async () => {
    await fill(400, 20_000);
    await log.prune({ maxHistory: 20 }, clock.nowMs);
    expect(statSync(folder.file()).size - log.size().usedBytes).toBe(1024 * 1024);
  });

  test("stays below the bytes that it may have", async () => {
    const maxBytes = 2_000_000;
    for (const _ of range(1, 5)) {
      await fill(100, 20_000);
      await log.prune({ maxBytes }, clock.nowMs);
      expect(statSync(folder.file()).size).toBeLessThanOrEqual(maxBytes);
    }
    expect(log.head - log.floor + 1).toBeGreaterThan(60);
  });

  test("counts events against the bytes that it may have, and no idempotency keys", async () => {
    const maxBytes = 400_000;
    const full: string[] = [];
    await log.close();
    log = new SqliteEventLog(folder.file(), { durability: "os", clock: clock.read, onFull: (text) => full.push(text) });
    await log.append(drafts(100, "before"));
    for (const round of range(1, 10)) {
      const keys = range(1, 1000).map((key) => `${round}.${key}.${"k".repeat(90)}`);
      await Promise.all(keys.map((idempotencyKey) => log.append(drafts(1), { idempotencyKey })));
      await log.prune({ maxBytes }, clock.nowMs);
      expect(log.head - log.floor + 1).toBeGreaterThan(Math.min(log.head, 2000) - 1);
    }
    expect(log.size().usedBytes).toBeGreaterThan(maxBytes);
    expect(full).toHaveLength(1);
    clock.advance(600_001);
    await log.prune({ maxBytes }, clock.nowMs);
    expect(log.size().usedBytes).toBeLessThanOrEqual(maxBytes);
    expect(log.head - log.floor + 1).toBeGreaterThan(2000);
  });
});
