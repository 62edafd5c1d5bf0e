import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { SqliteEventLog, type StoreInternals } from "../../src/store/event-log.ts";
import { MAX_SLICE_EVENTS } from "../../src/store/retention.ts";
import { draft, drafts, idsOf, range, readAll, topicsOf } from "../contract/log-driver.ts";
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

function open(internals: StoreInternals = {}): void {
  connection = new FaultyConnection();
  const options = { durability: "os", clock: clock.read } as const;
  log = new SqliteEventLog(folder.file(), options, { connect: connection.connect, ...internals });
}

/** Appends so many events of so many bytes. */
async function fill(count: number, bytes: number): Promise<void> {
  for (let left = count; left > 0; left -= 100) {
    await log.append(Array.from({ length: Math.min(left, 100) }, () => draft("a", "x".repeat(bytes))));
  }
}

function rowsOf(table: string): number {
  return Number(connection.database.query(`select count(*) from ${table}`).values()[0]?.[0]);
}

/** How often the file was told something new of a topic. */
function updatesOfSeries(): number {
  return connection.statements.filter((sql) => sql.startsWith("update series")).length;
}

async function reopenEmpty(internals: StoreInternals): Promise<void> {
  await log.close();
  folder[Symbol.dispose]();
  folder = new TempFolder();
  open(internals);
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
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

  test("lets appends and reads in between", async () => {
    await log.append(drafts(5000));
    const pruning = log.prune({ maxHistory: 1000 }, clock.nowMs);
    const { events } = await log.append(drafts(1));
    expect(idsOf(events)).toEqual([5001]);
    expect(log.floor).toBeLessThan(4001);
    await pruning;
    expect(idsOf(readAll(log))).toEqual(range(4001, 5001));
  });

  test("ends early when the log is closed, and goes on after it is opened again", async () => {
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
    await reopenEmpty({ segmentSize: 16 });
    for (const round of range(1, 20)) {
      await log.append([...drafts(20, `topic.${round}`), ...drafts(5, "steady")]);
      await log.prune({ maxHistory: 30 }, clock.nowMs);
    }
    await log.prune({ maxHistory: 10 }, clock.nowMs);
    expect([rowsOf("event"), rowsOf("series")]).toEqual([10, 2]);
    expect(rowsOf("posting")).toBeLessThanOrEqual(4);
  });

  test("writes to the topics in the file only when a segment of the index goes", async () => {
    await reopenEmpty({ segmentSize: 64 });
    await log.append(range(1, 200).map((id) => draft(`topic.${id % 10}`)));
    await turns(20);
    connection.statements.length = 0;
    await log.prune({ maxHistory: 150 }, clock.nowMs);
    expect(updatesOfSeries()).toBe(0);
    expect(topicsOf(log).map(({ count }) => count)).toEqual(Array(10).fill(15));
    await log.prune({ maxHistory: 130 }, clock.nowMs);
    expect(updatesOfSeries()).toBe(10);
    await log.close();
    open();
    expect(topicsOf(log).map(({ count }) => count)).toEqual(Array(10).fill(13));
  });

  test("leaves nothing of a topic that its successor by number would be taken for", async () => {
    await reopenEmpty({ segmentSize: 4 });
    await log.append(["a", "z", "a", "z", "a", "z", "a", "a", "a"].map((topic) => draft(topic)));
    await turns(20);
    const pruning = log.prune({ maxHistory: 5 }, clock.nowMs);
    while (log.floor === 1) await turns(1);
    await log.close();
    await pruning;
    open();
    // The first segment was to go next.
    expect([log.floor, rowsOf("posting where segment = 0")]).toEqual([5, 2]);
    await log.prune({ maxHistory: 3 }, clock.nowMs);
    expect(topicsOf(log).map(({ topic }) => topic)).toEqual(["a"]);
    await log.close();
    open();
    await log.append([draft("new"), draft("new"), draft("new")]);
    await turns(20);
    await log.prune({ maxHistory: 3 }, clock.nowMs);
    await log.close();
    open();
    expect(topicsOf(log)).toMatchObject([{ topic: "new", count: 3 }]);
    expect(log.health()).toEqual({ state: "ok" });
  });

  test("forgets idempotency keys of which nobody may remember, a slice at a time", async () => {
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
});
