import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { checkFile } from "../../../src/store/check/check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { busErrorCodeOf } from "../../contract/bus-error-code.ts";
import { draft, drafts, range } from "../../contract/log-driver.ts";
import { FakeClock } from "../../helpers/clock.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { eventbus, holdInAnotherProcess } from "../other-process.ts";

let folder: TempFolder;

/** Segments 0 to 5 of eight events are sealed, the tail is 49 and 50, and the floor is 6. */
beforeEach(async () => {
  folder = new TempFolder();
  const clock = new FakeClock();
  const log = new SqliteEventLog(folder.file(), { clock: clock.read, durability: "os" }, { segmentSize: 8 });
  for (const id of range(1, 50)) {
    await log.append([draft(`topic.${id % 3}`, { id })], id === 50 ? { idempotencyKey: "the key" } : {});
    await new Promise((resolve) => setImmediate(resolve));
  }
  await log.prune({ maxHistory: 45 }, clock.nowMs);
  await log.close();
});

afterEach(() => folder[Symbol.dispose]());

/** What the check names; the files must be what they were before. */
async function findings(): Promise<string[]> {
  const before = folder.fingerprint();
  const found: string[] = [];
  const { isSound } = await checkFile(folder.file(), { onDamage: (detail) => void found.push(detail) });
  expect(isSound).toBe(found.length === 0);
  expect(folder.fingerprint()).toEqual(before);
  return found;
}

function change(sql: string): void {
  const database = new Database(folder.file());
  database.run(sql);
  database.close(true);
}

describe("the check", () => {
  test("finds nothing wrong with a sound history", async () => {
    expect(await findings()).toEqual([]);
  });

  test("tells what is kept", async () => {
    const report = await checkFile(folder.file(), { onDamage: () => {} });
    expect(report).toEqual({ isSound: true, untold: 0, events: 45, floor: 6, head: 50 });
  });

  test("finds nothing wrong while the index is being written, or after a crash", async () => {
    using other = new TempFolder();
    const internals = { segmentSize: 8, sealSlice: 1 };
    const log = new SqliteEventLog(other.file(), { durability: "os" }, internals);
    for (const round of range(1, 12)) {
      await log.append(range(1, 5).map((id) => draft(`topic.${id % 4}`, round)));
      if (round === 8) await log.prune({ maxHistory: 11 }, 0);
      folder.copyDatabase(other.file(), "history.db");
      expect(await findings()).toEqual([]);
    }
    await log.close();
  });

  test.each<[string, string, string[]]>([
    ["an event whose data changed", "update event set data = '{}' where id = 9", ["event 9: checksum mismatch"]],
    ["an event of another series", "update event set series_id = 1 where id = 9", ["event 9: checksum mismatch"]],
    ["an event of another time", "update event set created_at = 1 where id = 50", ["event 50: checksum mismatch"]],
    [
      "missing events",
      "delete from event where id in (10, 11, 12, 20)",
      ["events 10 to 12: missing", "event 20: missing"],
    ],
    [
      "the newest event missing",
      "delete from event where id = 50",
      ["the events from 50 to 50 are missing", "event 50: missing"],
    ],
    [
      "an event beyond the end",
      "update event set id = 999 where id = 50",
      ["event 999: checksum mismatch", "event 50: missing"],
    ],
    [
      "an event below the floor",
      "update event set id = 2 where id = 30",
      ["event 30: missing", "event 2: outside of the history, 6 to 50"],
    ],
    ["a missing series", "delete from series where id = 2", ["event 8: of series 2, which is missing"]],
    [
      "a series of another name",
      "update series set topic = 'x' where id = 2",
      ["series 2: checksum mismatch", "event 8: of series 2, which is damaged"],
    ],
    [
      "a wrong count",
      "update series set count = 99 where id = 1",
      ['topic topic.1, source "": the stored count is 97, of 14 events up to 46'],
    ],
    [
      "a wrong last event",
      "update series set last_id = 47 where id = 1",
      [
        "series 1: checksum mismatch, the end of its index is damaged",
        "event 47, which is counted last, is not one of its events",
      ],
    ],
    [
      "an index row that changed",
      "update posting set offsets = x'0100' where series_id = 1 and segment = 3",
      ["the index of series 1 in segment 3: checksum mismatch"],
    ],
    [
      "a missing index row",
      "delete from posting where series_id = 1 and segment = 3",
      ["the index of series 1 in segment 3: missing"],
    ],
    [
      "a missing last index row",
      "delete from posting where series_id = 1 and segment = 5",
      ["the index of series 1 in segment 5: missing"],
    ],
    [
      "an index row of another series",
      "update posting set series_id = 77 where series_id = 1 and segment = 3",
      ["the index of series 1 in segment 3: missing", "the index of series 77 in segment 3: checksum mismatch"],
    ],
    [
      "a block of the tail that changed",
      "update tail set series = x'01000000' where first_id = 50",
      ["the block of the index that begins with event 50: checksum mismatch"],
    ],
    [
      "a number of the whole",
      "update meta set value = 7 where name = 'pruned_to'",
      ["pruned_to in the table meta is damaged"],
    ],
    ["an idempotency key", "update idempotency_key set first_id = 3", ['idempotency key "the key": checksum mismatch']],
    ["a missing view", "drop view topics", ["the schema of topics is not the one it was made with"]],
    [
      "an added trigger",
      "create trigger t after insert on event begin select 1; end",
      ["the schema of t is not the one it was made with"],
    ],
  ])("names %s", async (_, sql, expected) => {
    change(sql);
    const found = (await findings()).join("\n");
    for (const text of expected) expect(found).toContain(text);
  });

  test("names an index row that tells what the events do not", async () => {
    // A row of the same shape, with the checksum of its own: what only a comparison with the events can find.
    const offsets = Buffer.from([0, 0, 1, 0, 5, 0]);
    const checksum = Bun.hash.crc32(offsets, Bun.hash.crc32("1,3,2,"));
    change(
      `update posting set offsets = x'${offsets.toString("hex")}', checksum = ${checksum} where series_id = 1 and segment = 3`,
    );
    expect(await findings()).toEqual(["the index of series 1 in segment 3: disagrees with the events"]);
  });

  test("names a block of the tail that tells what the events do not", async () => {
    const checksum = Bun.hash.crc32(Buffer.from([1, 0, 0, 0]), Bun.hash.crc32("50,"));
    change(`update tail set series = x'01000000', checksum = ${checksum} where first_id = 50`);
    expect(await findings()).toEqual(["the block of the index that begins with event 50: disagrees with the events"]);
  });

  test("names broken pages, and the events that cannot be read for them", async () => {
    const bytes = readFileSync(folder.file());
    const page = Math.floor(bytes.indexOf('{"id":30}') / 4096);
    writeFileSync(folder.file(), bytes.fill(0xff, page * 4096, page * 4096 + 16));
    const found = await findings();
    expect(found[0]).toBe("the structure cannot be read: database disk image is malformed");
    expect(found.join("\n")).toMatch(/events? \d+.*: not readable: database disk image is malformed/);
  });

  test("tells a thousand things, and how many more there are", async () => {
    const log = new SqliteEventLog(folder.file("large.db"), { durability: "os" });
    await log.append(drafts(3000));
    await log.close();
    folder.copyDatabase(folder.file("large.db"), "history.db");
    change("delete from event where id % 2 = 0");
    const report = await checkFile(folder.file(), { onDamage: () => {} });
    expect(report).toMatchObject({ isSound: false, events: 1500, floor: 1, head: 3000 });
    expect(report.untold).toBeGreaterThanOrEqual(500);
  });

  test("tells how far it is", async () => {
    const seen: number[] = [];
    await checkFile(folder.file(), { onDamage: () => {}, onProgress: (_, done) => void seen.push(done) });
    expect([seen[0], seen.at(-1)]).toEqual([0, 1]);
  });

  test("refuses a history that is in use", async () => {
    const log = new SqliteEventLog(folder.file());
    expect(await busErrorCodeOf(findings())).toBe("unavailable");
    await log.close();
  });
});

describe("eventbus check", () => {
  test("ends with 0 when the history is sound", async () => {
    const { exitCode, stdout } = await eventbus("check", "--db", folder.file());
    expect([exitCode, stdout]).toEqual([0, `${folder.file()} is sound: 45 events, ids 6 to 50\n`]);
  });

  test("ends with 1 and a line for each damage", async () => {
    change("update event set data = '{}' where id in (9, 12)");
    const { exitCode, stdout, stderr } = await eventbus("check", "--db", folder.file());
    expect([exitCode, stdout]).toEqual([1, "event 9: checksum mismatch\nevent 12: checksum mismatch\n"]);
    expect(stderr).toContain("is damaged: restore a backup");
  });

  test("ends with 1 when the history is in use", async () => {
    await using holder = await holdInAnotherProcess(folder.file("held.db"));
    const { exitCode, stdout, stderr } = await eventbus("check", "--db", folder.file("held.db"));
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("is in use by another process");
    await holder.kill();
  });

  test.each([
    ["there is no such file", "missing.db", "is missing or empty: there is nothing to check"],
    ["the file is none of ours", "text.db", "is not a SQLite database"],
  ])("ends with 1 when %s", async (_, name, expected) => {
    writeFileSync(folder.file("text.db"), "hello ".repeat(50));
    const { exitCode, stderr } = await eventbus("check", "--db", folder.file(name));
    expect(exitCode).toBe(1);
    expect(stderr).toContain(expected);
  });

  test("ends with 2 when it is called in a wrong way", async () => {
    const { exitCode, stderr } = await eventbus("check", "--file", folder.file());
    expect(exitCode).toBe(2);
    expect(stderr).toContain("unknown option '--file'");
  });
});
