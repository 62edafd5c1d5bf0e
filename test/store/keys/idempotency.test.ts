import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { SqliteEventLog, type SqliteEventLogOptions } from "../../../src/store/event-log.ts";
import { draft, drafts, idsOf, range } from "../../contract/log-driver.ts";
import { busErrorCodeOf } from "../../helpers/bus-error.ts";
import { FakeClock } from "../../helpers/clock.ts";
import { FaultyConnection } from "../../helpers/fault.ts";
import { TempFolder } from "../../helpers/temp.ts";

let folder: TempFolder;
let clock: FakeClock;
let connection: FaultyConnection;
let forgotten: number[];
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

function open(options: SqliteEventLogOptions = {}): void {
  connection = new FaultyConnection();
  forgotten = [];
  log = new SqliteEventLog(
    folder.file(),
    { durability: "os", clock: clock.read, onKeysForgotten: (count) => void forgotten.push(count), ...options },
    { connect: connection.connect },
  );
}

/** Publishes an event under each of these keys; returns whether it was published before. */
async function publish(keys: readonly number[]): Promise<boolean[]> {
  const appended = await Promise.all(
    keys.map((key) => log.append([draft("a", key)], { idempotencyKey: `key ${key}` })),
  );
  return appended.map(({ replayed }) => replayed);
}

describe("more idempotency keys than are allowed", () => {
  beforeEach(async () => {
    await log.close();
    open({ maxKeys: 100 });
  });

  test("make the oldest go, which is reported", async () => {
    for (const first of [1, 51, 101]) await publish(range(first, first + 49));
    expect([forgotten.reduce((a, b) => a + b), log.figures.keysForgotten]).toEqual([50, 50]);
    expect(await publish([51, 150])).toEqual([true, true]);
    expect(await publish([1])).toEqual([false]);
    expect(connection.database.query("select count(*) from idempotency_key").values()).toEqual([[100]]);
  });

  test("are known as such after a restart with a lower limit, and go with the next ones", async () => {
    await publish(range(1, 100));
    await log.close();
    open({ maxKeys: 10 });
    expect(await publish([1])).toEqual([true]);
    for (let key = 101; key <= 250; key++) await publish([key]);
    expect(await publish([1, 240, 241])).toEqual([false, false, true]);
  });

  test("go only if what brought the newest ones is committed", async () => {
    await publish(range(1, 100));
    connection.failNext("commit", "SQLITE_FULL");
    expect(await busErrorCodeOf(publish(range(101, 150)))).toBe("storage_full");
    expect(log.figures.keysForgotten).toBe(0);
    expect(await publish([1, 100])).toEqual([true, true]);
    expect(await publish([101])).toEqual([false]);
  });
});

describe("an idempotency key", () => {
  test("is used again after ten minutes, and the newest use counts from then on", async () => {
    await log.append(drafts(1), { idempotencyKey: "k" });
    clock.advance(600_001);
    const again = await log.append(drafts(2), { idempotencyKey: "k" });
    expect([again.replayed, idsOf(again.events)]).toEqual([false, [2, 3]]);
    await log.close();
    open();
    const repeat = await log.append(drafts(2), { idempotencyKey: "k" });
    expect([repeat.replayed, idsOf(repeat.events)]).toEqual([true, [2, 3]]);
  });

  test("is not forgotten when the clock is set forward", async () => {
    await log.close();
    const ageClock = new FakeClock();
    open({ ageClock: ageClock.read });
    await publish([1]);
    clock.advance(86_400_000);
    expect(await publish([1])).toEqual([true]);
    ageClock.advance(600_001);
    expect(await publish([1])).toEqual([false]);
  });

  test("is found among more than are read at the opening, as soon as all have been read", async () => {
    for (let first = 1; first <= 30_000; first += 5000) await publish(range(first, first + 4999));
    await log.close();
    open();
    const unkeyed = log.append(drafts(1));
    const keyed = publish([30_000, 1, 30_001]);
    expect(idsOf((await unkeyed).events)).toEqual([30_001]);
    expect(await keyed).toEqual([true, true, false]);
  });

  test("that waits for the others to be read is committed when the log closes", async () => {
    for (let first = 1; first <= 30_000; first += 5000) await publish(range(first, first + 4999));
    await log.close();
    open();
    const keyed = publish([30_000, 30_001]);
    await log.close();
    expect(await keyed).toEqual([true, false]);
  });

  test("is not committed by a transaction that fails", async () => {
    connection.failNext("commit", "SQLITE_FULL");
    expect(await busErrorCodeOf(publish([1]))).toBe("storage_full");
    expect(await publish([1])).toEqual([false]);
    expect(await publish([1])).toEqual([true]);
  });
});
