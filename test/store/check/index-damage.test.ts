import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { checkFile } from "../../../src/store/check/check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { draft, idsOf, range, readAll, readAllBack, startingWith, topicsOf } from "../../contract/log-driver.ts";
import { randomFrom } from "../../helpers/load.ts";
import { TempFolder } from "../../helpers/temp.ts";

const SEED = Number(process.env["EVENTBUS_TEST_SEED"] ?? 1);
const CASES = 100;
const HEAD = 400;
const FLOOR = 22;
const SEGMENT_SIZE = 8;
const TOPICS = ["dense", "heap", "rare", "once"];
const VALUES = [-1, 0, 1, 2, 5, 9, 17, 30, 99, 333, 399, 2 ** 31, 2 ** 53 - 1];
/** Damages one number of one row, or takes the row away. The values are the row, of sixty, and the number. */
const DAMAGES = [
  "update series set count = $value where id = 1 + $row % 4",
  "update series set last_id = $value where id = 1 + $row % 4",
  ...["segment", "series_id", "previous"].map((column) => `update or ignore posting set ${column} = $value where $is`),
  "delete from posting where $is",
].map((sql) =>
  sql.replace("$is", "(segment, series_id) = (select segment, series_id from posting limit 1 offset $row)"),
);

function topicOf(id: number): string {
  if (id === 200) return "once";
  if (id % 90 === 40) return "rare";
  return (id > 50 && id < 80) || (id > 300 && id < 360) ? "heap" : "dense";
}

async function makeHistory(path: string): Promise<void> {
  const log = new SqliteEventLog(path, { durability: "os" }, { segmentSize: SEGMENT_SIZE });
  for (let first = 1; first < HEAD; first += SEGMENT_SIZE) {
    await log.append(range(first, first + SEGMENT_SIZE - 1).map((id) => draft(topicOf(id))));
    for (const _ of range(1, 4)) await nextTurn();
  }
  await log.prune({ maxHistory: HEAD - FLOOR + 1 }, 0);
  await log.close();
}

/** The events of the topic that are not served from one of both ends. */
function missingOf(log: SqliteEventLog, topic: string): number[] {
  const topics = startingWith(topic);
  const wanted = range(log.floor, HEAD).filter((id) => topicOf(id) === topic);
  return [readAll(log, { topics }, 0, 3), readAllBack(log, { topics }, Infinity, 3)].flatMap((events) => {
    const served = new Set(idsOf(events));
    return wanted.filter((id) => !served.has(id));
  });
}

test("a number of the index that is damaged hides no event, neither then nor after more was indexed and pruned", async () => {
  console.log(`EVENTBUS_TEST_SEED=${SEED}`);
  using folder = new TempFolder();
  await makeHistory(folder.file());
  const random = randomFrom(SEED);
  const below = (end: number) => Math.floor(random() * end);
  const missed: string[] = [];
  for (const _ of range(1, CASES)) {
    const values = { $row: below(60), $value: VALUES[below(VALUES.length)] ?? 0 };
    const [sql = "", topic = ""] = [DAMAGES[below(DAMAGES.length)], TOPICS[below(TOPICS.length)]];
    const path = folder.copyDatabase(folder.file(), "damaged.db");
    using database = new Database(path);
    const named = Object.entries(values).filter(([name]) => sql.includes(name));
    database.query(sql).run(Object.fromEntries(named));
    database.close(true);
    for (const round of ["at once", "later"]) {
      const log = new SqliteEventLog(path, { durability: "os" });
      for (const id of missingOf(log, topic)) missed.push(`${id}, ${round}: ${sql} ${JSON.stringify(values)}`);
      await log.append(range(1, 20).map((n) => draft(n % 9 === 0 ? "late" : "dense.late")));
      for (const _ of range(1, 10)) await nextTurn();
      await log.prune({ maxHistory: log.head - log.floor - 3 }, 0);
      await log.close();
    }
  }
  expect(missed).toEqual([]);
}, 60_000);

test("an index that is damaged where the history begins is told of, and what topics have is still right", async () => {
  using folder = new TempFolder();
  await makeHistory(folder.file());
  using database = new Database(folder.file());
  database.run("update posting set offsets = zeroblob(octet_length(offsets)) where segment = 2");
  database.close(true);
  const damage: string[] = [];
  const log = new SqliteEventLog(folder.file(), { onDamage: (detail) => void damage.push(detail) });
  const counts = TOPICS.toSorted().map((topic) => range(FLOOR, HEAD).filter((id) => topicOf(id) === topic).length);
  expect(topicsOf(log).map(({ count }) => count)).toEqual(counts);
  await log.close();
  expect(damage).toEqual(["the index of series 1 in segment 2: checksum mismatch"]);
  const found: string[] = [];
  await checkFile(folder.file(), { onDamage: (detail) => void found.push(detail) });
  expect(found).toEqual(damage);
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
