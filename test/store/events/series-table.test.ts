import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { SeriesTable } from "../../../src/store/events/series-table.ts";
import { Damage } from "../../../src/store/file/damage.ts";
import { draft, range } from "../../contract/log-driver.ts";
import { TempFolder } from "../../helpers/temp.ts";

test("the names of series that were verified stay in memory, until a series is removed", async () => {
  using folder = new TempFolder();
  const log = new SqliteEventLog(folder.file());
  await log.append(range(1, 20).map((index) => draft(`topic.${index}`)));
  await log.close();
  using database = new Database(folder.file());
  const series = new SeriesTable({ database, damage: new Damage(() => {}), maxCached: 8 });
  series.load(() => []);
  const inUse = series.get(20);
  while (series.verifyNext(() => []));
  expect(series.get(20)).toBe(inUse);
  expect(range(1, 20).map((id) => `${series.get(id)?.topic}`)).toEqual(range(1, 20).map((id) => `topic.${id}`));
  expect(series.misses).toBe(1);
  series.delete(7);
  series.removed(7);
  expect(series.get(7)).toBeUndefined();
});
