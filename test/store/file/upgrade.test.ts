import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { checkFile } from "../../../src/store/check/check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { SCHEMA_VERSION } from "../../../src/store/file/sqlite.ts";
import { draft, idsOf, range, readAll, readAllBack, startingWith, topicsOf } from "../../contract/log-driver.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { makeOlder } from "./older-schema.ts";

const EVENTS = 100;
const KEPT = 60;
const SEGMENT = 16;
/** Segments that are full, less those that the removed events fill. */
const INDEXED_SEGMENTS = Math.floor(EVENTS / SEGMENT) - Math.floor((EVENTS - KEPT) / SEGMENT);
const SERIES = 7;

let folder: TempFolder;
beforeEach(async () => {
  folder = new TempFolder();
  const log = new SqliteEventLog(folder.file(), { durability: "os" }, { segmentSize: SEGMENT });
  await log.append(range(1, EVENTS).map((id) => draft(`topic.${id % SERIES}`, id)));
  // Enough for the index to be written.
  for (const _ of range(1, 100)) await Bun.sleep(1);
  await log.prune({ maxHistory: KEPT }, Date.now());
  await log.close();
});
afterEach(() => folder[Symbol.dispose]());

function postings(): number {
  using database = new Database(folder.file(), { readonly: true });
  return Number(database.query("select count(*) from posting").values()[0]?.[0]);
}

for (const version of range(1, SCHEMA_VERSION - 1)) {
  test(`a file of schema version ${version} is brought up to date, and nothing of it is lost`, async () => {
    makeOlder(folder.file(), version);
    expect(postings()).toBe(INDEXED_SEGMENTS * SERIES);
    const damage: string[] = [];
    const log = new SqliteEventLog(folder.file(), { onDamage: (detail) => void damage.push(detail) });
    for (const remainder of range(0, SERIES - 1)) {
      const topics = startingWith(`topic.${remainder}`);
      const expected = range(EVENTS - KEPT + 1, EVENTS).filter((id) => id % SERIES === remainder);
      expect(idsOf(readAll(log, { topics }))).toEqual(expected);
      expect(idsOf(readAllBack(log, { topics }))).toEqual(expected.toReversed());
    }
    const counts = topicsOf(log).map(({ count }) => count);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(KEPT);
    expect((await log.append([draft("new")])).events[0]?.id).toBe(EVENTS + 1);
    await log.close();
    const report = await checkFile(folder.file(), { onDamage: (detail) => void damage.push(detail) });
    expect([report.isSound, damage]).toEqual([true, []]);
  });
}

test("a series whose index ends later than the older schema says is told of", async () => {
  makeOlder(folder.file(), 4);
  using database = new Database(folder.file());
  database.run("update series set last_id = 49 where id = 3");
  database.close(true);
  const damage: string[] = [];
  const log = new SqliteEventLog(folder.file(), { onDamage: (detail) => void damage.push(detail) });
  expect(damage).toEqual(["series 3: checksum mismatch, the end of its index is damaged"]);
  await log.close();
});
