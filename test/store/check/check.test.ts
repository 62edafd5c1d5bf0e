import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { ChainCheck } from "../../../src/store/check/chain-check.ts";
import { checkFile } from "../../../src/store/check/check.ts";
import { checkedHistory } from "../../../src/store/check/checked-history.ts";
import { EventCheck } from "../../../src/store/check/event-check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import type { Links } from "../../../src/store/events/chains.ts";
import { HEAD_COLUMNS, type HeadRow, headChecksumOf, headOf } from "../../../src/store/events/event-head.ts";
import { endsChecksumOf, seriesChecksumOf } from "../../../src/store/events/series-row.ts";
import { SeriesTable } from "../../../src/store/events/series-table.ts";
import { Damage } from "../../../src/store/file/damage.ts";
import { readMeta } from "../../../src/store/file/meta.ts";
import { draft, drafts, range } from "../../contract/log-driver.ts";
import { busErrorCodeOf } from "../../helpers/bus-error.ts";
import { FakeClock } from "../../helpers/clock.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { eventbus, holdInAnotherProcess } from "../other-process.ts";

let folder: TempFolder;

/** Three series take turns, the stored ends are exact up to event 48, and the floor is 6. */
beforeEach(async () => {
  folder = new TempFolder();
  const clock = new FakeClock();
  const log = new SqliteEventLog(folder.file(), { clock: clock.read, durability: "os" }, { endsInterval: 8 });
  for (const id of range(1, 50)) {
    await log.append([draft(`topic.${id % 3}`, { id })], id === 50 ? { idempotencyKey: "the key" } : {});
  }
  await log.prune({ maxHistory: 45 }, clock.nowMs);
  await log.close();
});

afterEach(() => folder[Symbol.dispose]());

/** What the check names; the files must stay as they were. */
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

/** Gives an event other links, and the checksum that goes with them. */
function relink(id: number, links: Partial<Links>): void {
  using database = new Database(folder.file());
  const [row] = database.query(`select ${HEAD_COLUMNS} from event where id = ?`).values(id) as HeadRow[];
  if (row === undefined) throw new Error(`there is no event ${id}`);
  const { seriesId, createdAtMs, previous, skip, depth } = { ...headOf(row), ...links };
  database
    .query("update event set previous = ?, skip = ?, depth = ?, head_checksum = ? where id = ?")
    .run(previous, skip, depth, headChecksumOf(id, seriesId, createdAtMs, previous, skip, depth), id);
}

/** Stores another end of a series, and the checksum that goes with it. */
function setEnd(seriesId: number, end: number): void {
  using database = new Database(folder.file());
  const [row] = database.query("select ends from series_end").values() as [Uint8Array][];
  const ends = new Float64Array(row?.[0].slice().buffer ?? new ArrayBuffer(0));
  ends[seriesId - 1] = end;
  const bytes = new Uint8Array(ends.buffer);
  database.query("update series_end set ends = ?, checksum = ?").run(bytes, endsChecksumOf(1, bytes));
}

/** What the check of the chains reports when it follows this many series at once. */
function chainFindings(windowSeries: number): string[] {
  using database = new Database(folder.file());
  const found: string[] = [];
  const damage = new Damage((detail) => void found.push(detail));
  const history = checkedHistory(database, damage, readMeta(database));
  const { events } = new EventCheck(history, new SeriesTable({ database, damage }));
  for (const _ of new ChainCheck(history, events, windowSeries).run());
  return found;
}

function rootPageOf(name: string): number {
  using database = new Database(folder.file());
  return Number(database.query("select rootpage from sqlite_schema where name = ?").values(name)[0]?.[0]);
}

describe("the check", () => {
  test("finds nothing wrong with an intact history", async () => {
    expect(await findings()).toEqual([]);
  });

  test("reports what is kept", async () => {
    const report = await checkFile(folder.file(), { onDamage: () => {} });
    expect(report).toEqual({ isSound: true, unlisted: 0, events: 45, floor: 6, head: 50 });
  });

  test("finds nothing wrong while the ends are being written, or after a crash", async () => {
    using other = new TempFolder();
    const log = new SqliteEventLog(other.file(), { durability: "os" }, { endsInterval: 8 });
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
      ["event 30: missing", "event 2: outside the history, 6 to 50"],
    ],
    ["a missing series", "delete from series where id = 2", ["event 8: of series 2, which is missing"]],
    [
      "a series of another name",
      "update series set topic = 'x' where id = 2",
      ["series 2: checksum mismatch", "event 8: of series 2, which is damaged"],
    ],
    [
      "the stored ends of series",
      "update series_end set ends = zeroblob(4000)",
      ["the stored ends of series 1 to 500: checksum mismatch"],
    ],
    [
      "missing ends of series",
      "delete from series_end",
      ["series 1: its stored end is 0, and its last event up to there is 49"],
    ],
    [
      "a series without an event",
      `insert into series values (4, 'a', '', ${seriesChecksumOf({ id: 4, topic: "a", source: "" })})`,
      ["series 4: it has no events"],
    ],
    [
      "a number of the whole",
      "update meta set value = 7 where name = 'pruned_to'",
      ["pruned_to in the table meta is damaged"],
    ],
    ["an idempotency key", "update idempotency_key set first_id = 3", ['idempotency key "the key": checksum mismatch']],
    ["a missing view", "drop view topics", ["the schema of topics is not the one it was created with"]],
    [
      "an added trigger",
      "create trigger t after insert on event begin select 1; end",
      ["the schema of t is not the one it was created with"],
    ],
  ])("names %s", async (_, sql, expected) => {
    change(sql);
    const found = (await findings()).join("\n");
    for (const text of expected) expect(found).toContain(text);
  });

  // With checksums that match: only a comparison with the other events can find these.
  test.each<[string, number, Partial<Links>, string[]]>([
    ["passes over one", 22, { previous: 16 }, ["event 22: the previous event of its series is 19, not 16"]],
    ["names one of another series", 22, { previous: 20 }, ["event 22: the previous event of its series is 19, not 20"]],
    [
      "begins in the middle",
      22,
      { previous: 0, depth: 0, skip: 0 },
      ["event 22: the previous event of its series is 19, not 0"],
    ],
    ["has another depth", 50, { depth: 17 }, ["event 50: its depth is 16, not 17"]],
    ["skips to another event", 28, { skip: 16 }, ["event 28: its skip is not 16"]],
    ["skips to one of another series", 28, { skip: 20 }, ["event 28: its skip is not 20"]],
    ["skips to the one before it", 28, { skip: 25 }, ["event 28: its skip is not 25"]],
    ["skips nowhere", 28, { skip: 0 }, ["event 28: its skip is not 0"]],
  ])("names an event whose link %s", async (_, id, links, expected) => {
    relink(id, links);
    expect((await findings()).slice(0, 1)).toEqual(expected);
  });

  test.each<[string, number, number, string]>([
    ["too early", 3, 45, "series 3: its stored end is 45, and its last event up to there is 48"],
    ["of another series", 1, 48, "series 1: its stored end is 48, and its last event up to there is 49"],
    ["of none", 1, 51, "series 1: its stored end is 51, and its last event up to there is 49"],
  ])("names a stored end that is %s", async (_, seriesId, end, expected) => {
    setEnd(seriesId, end);
    expect(await findings()).toEqual([expected]);
  });

  test("names the same when there are more series than are followed at once", () => {
    relink(30, { previous: 24 });
    relink(32, { skip: 0 });
    setEnd(3, 45);
    const expected = [
      "event 30: the previous event of its series is 27, not 24",
      "series 3: its stored end is 45, and its last event up to there is 48",
    ];
    for (const windowSeries of [1, 2, 3, 100])
      expect(chainFindings(windowSeries)).toEqual(expect.arrayContaining(expected));
  });

  test("finds no fault in links to what is damaged", async () => {
    change("update event set head_checksum = 0 where id in (19, 44)");
    expect(await findings()).toEqual(["event 19: checksum mismatch", "event 44: checksum mismatch"]);
  });

  test("names nothing but the damage when the history continued after it, and nothing once that is pruned", async () => {
    change("update event set head_checksum = 0 where id in (40, 50)");
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, { endsInterval: 8 });
    for (const id of range(51, 90)) await log.append([draft(`topic.${id % 3}`, { id })]);
    await log.close();
    expect(await findings()).toEqual(["event 40: checksum mismatch", "event 50: checksum mismatch"]);
    const again = new SqliteEventLog(folder.file(), { durability: "os" });
    await again.prune({ maxHistory: 35 }, 0);
    await again.close();
    expect(await findings()).toEqual([]);
  });

  test("names what an index of the series lacks", async () => {
    const bytes = readFileSync(folder.file());
    const page = rootPageOf("series_by_source") * 4096;
    const at = bytes.lastIndexOf("topic.2", page);
    expect(at).toBeGreaterThan(page - 4096);
    bytes.write("topic.7", at);
    writeFileSync(folder.file(), bytes);
    const found = (await findings()).join("\n");
    expect(found).toContain("SQLite: row 2 missing from index series_by_source");
    expect(found).toContain("series 2: an index does not have it, or names it otherwise");
  });

  test("names broken pages, and the events that cannot be read for them", async () => {
    const bytes = readFileSync(folder.file());
    const page = Math.floor(bytes.indexOf('{"id":30}') / 4096);
    writeFileSync(folder.file(), bytes.fill(0xff, page * 4096, page * 4096 + 16));
    const found = await findings();
    expect(found[0]).toBe("the structure cannot be read: database disk image is malformed");
    expect(found.join("\n")).toMatch(/events? \d+.*: not readable: database disk image is malformed/);
  });

  test("reports a thousand damaged places, and how many more there are", async () => {
    const log = new SqliteEventLog(folder.file("large.db"), { durability: "os" });
    await log.append(drafts(3000));
    await log.close();
    folder.copyDatabase(folder.file("large.db"), "history.db");
    change("delete from event where id % 2 = 0");
    const report = await checkFile(folder.file(), { onDamage: () => {} });
    expect(report).toMatchObject({ isSound: false, events: 1500, floor: 1, head: 3000 });
    expect(report.unlisted).toBeGreaterThanOrEqual(500);
  });

  test("reports its progress", async () => {
    const seen: number[] = [];
    await checkFile(folder.file(), { onDamage: () => {}, onProgress: (_, done) => void seen.push(done) });
    expect([seen[0], seen.at(-1)]).toEqual([0, 1]);
  });

  test("rejects a history that is in use", async () => {
    const log = new SqliteEventLog(folder.file());
    expect(await busErrorCodeOf(findings())).toBe("unavailable");
    await log.close();
  });
});

describe("eventbus check", () => {
  test("ends with 0 when the history is intact", async () => {
    const { exitCode, stdout } = await eventbus("check", "--db", folder.file());
    expect([exitCode, stdout]).toEqual([0, `${folder.file()} is sound: 45 events, ids 6 to 50\n`]);
  });

  test("ends with 1 and a line for each damaged place", async () => {
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
    ["there is no such file", "missing.db", "is missing or empty: it contains no history"],
    ["the file is not a history", "text.db", "is not a SQLite database"],
  ])("ends with 1 when %s", async (_, name, expected) => {
    writeFileSync(folder.file("text.db"), "hello ".repeat(50));
    const { exitCode, stderr } = await eventbus("check", "--db", folder.file(name));
    expect(exitCode).toBe(1);
    expect(stderr).toContain(expected);
  });

  test("ends with 2 when it is called wrongly", async () => {
    const { exitCode, stderr } = await eventbus("check", "--file", folder.file());
    expect(exitCode).toBe(2);
    expect(stderr).toContain("unknown option '--file'");
  });
});
