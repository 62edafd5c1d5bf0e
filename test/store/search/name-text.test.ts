import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { PatternSet } from "../../../src/bus/patterns/pattern-set.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { draft, idsOf, range, readAll, readAllBack, topicsOf } from "../../contract/log-driver.ts";
import { TempFolder } from "../../helpers/temp.ts";

const TOPICS = range(1, 6000).map((id) => `site${id % 700}.sensor${id}.ü${id % 3}`);
const PATTERNS = ["*7.ü1", "*.sensor12*", "[r-t]*9.ü?", "{*.sensor1,*11.*,site5.*}", "site*99.*", "*ü2*", "*nothing*"];

let folder: TempFolder;

beforeEach(() => {
  folder = new TempFolder();
});

afterEach(() => folder[Symbol.dispose]());

describe("patterns that no range of the index contains", () => {
  // With room for all names in memory, and for none.
  test.each([1e6, 1])("find their events with %p characters of names in memory", async (nameCharacters) => {
    const internals = { cachedSeries: 50, recentEvents: 1, nameCharacters, searchClock: () => 0 };
    const log = new SqliteEventLog(folder.file(), { durability: "os" }, internals);
    const topics = [...TOPICS];
    await log.append(topics.map((topic) => draft(topic)));
    for (const generation of ["first", "later", "last"]) {
      for (const pattern of PATTERNS) {
        const matcher = PatternSet.parse([pattern]);
        const wanted = range(log.floor, topics.length).filter((id) => matcher.matches(topics[id - 1] ?? ""));
        expect(idsOf(readAll(log, { topics: matcher }))).toEqual(wanted);
        expect(idsOf(readAllBack(log, { topics: matcher }))).toEqual(wanted.toReversed());
        const names = [...new Set(wanted.map((id) => topics[id - 1] ?? ""))].sort();
        expect(topicsOf(log, { topics: matcher }, 7).map(({ topic }) => topic)).toEqual(names);
      }
      const more = range(1, 300).map((id) => `${generation}.sensor1${id}7.ü1`);
      topics.push(...more);
      await log.append(more.map((topic) => draft(topic)));
      await log.prune({ maxHistory: 5000 }, 0);
    }
    await log.close();
  });
});
