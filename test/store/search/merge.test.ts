import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { readContents } from "../../../src/store/contents.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { Damage } from "../../../src/store/file/damage.ts";
import { type OpenFile, openDatabase } from "../../../src/store/file/sqlite.ts";
import { mergeOf } from "../../../src/store/search/merge.ts";
import { draft, range } from "../../contract/log-driver.ts";
import { TempFolder } from "../../helpers/temp.ts";

const EVENTS = 400;
const SERIES = 9;

let folder: TempFolder;
let file: OpenFile;
let chains: ReturnType<typeof readContents>["chains"];

/** The series of an event: some are common, some rare. */
function seriesOf(id: number): number {
  return 1 + Math.min(SERIES - 1, Math.floor(Math.sqrt((id * 7919) % 101)));
}

beforeAll(async () => {
  folder = new TempFolder();
  const log = new SqliteEventLog(folder.file(), { durability: "os" });
  // In this order, so that the numbers of the series are those of their topics.
  await log.append(range(1, SERIES).map((series) => draft(`t.${series}`)));
  await log.append(range(SERIES + 1, EVENTS).map((id) => draft(`t.${seriesOf(id)}`)));
  await log.close();
  file = openDatabase(folder.file(), "os");
  chains = readContents(file.database, new Damage(() => {}), { recentEvents: 1 }).chains;
});

afterAll(() => {
  file.close();
  folder[Symbol.dispose]();
});

test("a merge finds what a list has, whenever its time is spent and however much its caller uses", () => {
  const someSearch = fc.record({
    series: fc.uniqueArray(fc.integer({ min: 1, max: SERIES }), { minLength: 1 }),
    ends: fc.tuple(fc.nat(EVENTS + 1), fc.nat(EVENTS + 1)),
    direction: fc.constantFrom<1 | -1>(1, -1),
    limit: fc.integer({ min: 1, max: 12 }),
    budgets: fc.array(fc.nat(20), { minLength: 1 }),
    used: fc.array(fc.nat(12), { minLength: 1 }),
  });
  fc.assert(
    fc.property(someSearch, ({ series, ends, direction, limit, budgets, used }) => {
      const [low, high] = [Math.min(...ends), Math.max(...ends)];
      const ids = range(low + 1, high - 1).filter((id) => series.includes(id <= SERIES ? id : seriesOf(id)));
      const wanted = direction === 1 ? ids : ids.toReversed();
      let search = { low, high, limit, direction };
      const merge = mergeOf(chains, series, search);
      const found: number[] = [];
      for (let call = 0; call < 10_000; call++) {
        let left = budgets[call % budgets.length] ?? 0;
        const candidates = merge.take(search, () => left-- <= 0);
        if (candidates === undefined) continue;
        const most = used[call % used.length] ?? 0;
        const isWhole = candidates.ids.length <= most;
        const taken = isWhole ? candidates.ids : candidates.ids.slice(0, most);
        found.push(...taken);
        if (isWhole && candidates.done) break;
        const end = isWhole ? candidates.end : taken.at(-1);
        if (end === undefined) continue;
        search = direction === 1 ? { ...search, low: end } : { ...search, high: end };
        if (isWhole && !merge.canContinue(search)) break;
      }
      if (!used.every((most) => most === 0)) expect(found).toEqual(wanted);
    }),
    { numRuns: 300 },
  );
});
