import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { range } from "../../contract/log-driver.ts";
import { randomFrom } from "../../helpers/load.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { findingsOf, Original } from "./original.ts";

const SEED = Number(process.env["EVENTBUS_TEST_SEED"] ?? 1);
/** So few series in memory that they are looked for in the indexes. */
const FEW_SERIES = 3;
/** Changes of each column that are tried. */
const CASES = 3;
/** What replaces a number, a text and a blob. */
const VALUES = {
  integer: [-1, 0, 1, 2, 30, 299, 2 ** 31, 2 ** 53 - 1],
  text: ["''", "'orders.1'", "'zzz'"],
  blob: ["x''", "x'00'", "zeroblob(4000)"],
};
/** Which row is damaged: the first one, one in the middle, the last one. */
const PLACES = ["0", "(select count(*) / 2 from $table)", "(select count(*) - 1 from $table)"];

interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: keyof typeof VALUES;
}

let folder: TempFolder;
let original: Original;

beforeAll(async () => {
  folder = new TempFolder();
  original = await Original.make(folder.file());
});

afterAll(() => folder[Symbol.dispose]());

/** Every column of every table. */
function columns(): Column[] {
  using database = new Database(folder.file(), { readonly: true });
  return database
    .query<Column, []>(
      `select tables.name as "table", columns.name as name, lower(columns.type) as type
         from sqlite_schema as tables, pragma_table_info(tables.name) as columns
        where tables.type = 'table' order by tables.name, columns.cid`,
    )
    .all();
}

/** A copy that was changed in this way; undefined when the change made no difference. */
function changed(sql: string): string | undefined {
  const path = folder.copyDatabase(folder.file(), "damaged.db");
  using database = new Database(path);
  return database.query(sql).run().changes > 0 ? path : undefined;
}

/** What went wrong with a damaged copy, at once and later. */
async function faultsOf(path: string): Promise<string[]> {
  const found = await findingsOf(path);
  const atOnce = await original.outcomeOf(folder.copyDatabase(path, "few.db"), FEW_SERIES);
  const later = [await original.outcomeOf(path), await original.laterOutcomeOf(path)];
  return [
    ...(found.length === 0 ? ["the check finds nothing"] : []),
    ...atOnce.faults,
    ...later.flatMap(({ faults }) => faults).map((fault) => `with all series in memory, ${fault}`),
  ];
}

/** The same of all of these changes. */
async function faultsOfAll(changes: readonly string[]): Promise<string[]> {
  const bad: string[] = [];
  for (const sql of changes) {
    const path = changed(sql);
    if (path === undefined) continue;
    for (const fault of await faultsOf(path)) bad.push(`${sql}: ${fault}`);
  }
  return bad;
}

function pick<T>(values: readonly T[], random: () => number): T {
  const [value] = values.slice(Math.floor(random() * values.length));
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}

/** The primary key of one row. */
function rowAt(table: string, key: string, place: string): string {
  return `${key} = (select ${key} from ${table} order by ${key} limit 1 offset ${place.replace("$table", table)})`;
}

describe("damage in a row hides no event silently, neither at once nor after more was published and pruned, and the check finds it, when", () => {
  test("any number, text or blob is a different one", async () => {
    const all = columns();
    const keys = new Map(all.toReversed().map(({ table, name }) => [table, name]));
    expect(keys.size).toBe(10);
    console.log(`EVENTBUS_TEST_SEED=${SEED}`);
    const random = randomFrom(SEED);
    for (const { table, name, type } of all) {
      const key = keys.get(table) ?? "";
      const changes = range(1, CASES).map(() => {
        const value = pick<number | string>(VALUES[type], random);
        const row = rowAt(table, key, pick(PLACES, random));
        return `update or ignore ${table} set ${name} = ${value} where ${row} and ${name} is not ${value}`;
      });
      expect(await faultsOfAll(changes)).toEqual([]);
    }
  }, 600_000);

  test("it is gone", async () => {
    const all = columns();
    const keys = new Map(all.toReversed().map(({ table, name }) => [table, name]));
    // Keys come and go at both ends: only one between others can be missing.
    const places = (table: string) => (table === "idempotency_key" ? PLACES.slice(1, 2) : PLACES);
    const changes = [...keys].flatMap(([table, key]) =>
      places(table).map((place) => `delete from ${table} where ${rowAt(table, key, place)}`),
    );
    expect(await faultsOfAll(changes)).toEqual([]);
  }, 600_000);
});
