import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { BusError } from "../../../src/bus/errors.ts";
import type { Event } from "../../../src/bus/event.ts";
import type { EventLog, Filter, Page } from "../../../src/bus/ports.ts";
import { checkFile } from "../../../src/store/check/check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { draft, range, startingWith, walk } from "../../contract/log-driver.ts";
import { FakeClock } from "../../helpers/clock.ts";
import { randomFrom } from "../../helpers/load.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { flipped } from "../flip.ts";

const FLIPS = 300;
const SEED = Number(process.env["EVENTBUS_TEST_SEED"] ?? 1);
const FIRST = 21;
const LAST = 300;
const PAGE_BYTES = 4096;
/** A row of the tail: its header, two series ids and the checksum, about. */
const BYTES_PER_BLOCK = 20;

/** Every way to ask, so that no index can lose an event quietly. */
const filters: readonly Filter[] = [
  {},
  { topics: startingWith("orders") },
  { topics: startingWith("rare") },
  { source: "other" },
  { fromMs: new FakeClock().nowMs + 100_000, toMs: new FakeClock().nowMs + 200_000 },
];

let folder: TempFolder;
let original: Map<number, Event>;
/** What each filter finds in the original. */
let expected: readonly (readonly number[])[];
let bytes: Buffer;

/** A history with all that a file can hold: sealed segments, a tail, a floor inside a segment, keys, large events. */
beforeAll(async () => {
  folder = new TempFolder();
  const clock = new FakeClock();
  const log = new SqliteEventLog(folder.file(), { clock: clock.read, durability: "os" }, { segmentSize: 32 });
  for (const id of range(1, LAST)) {
    clock.advance(1000);
    const data = id % 50 === 0 ? "large ".repeat(2000) : { id, note: "as sent" };
    const topic = id % 40 === 3 ? "rare.one" : `${id % 3 === 0 ? "orders" : "users"}.${id % 5}`;
    await log.append(
      [draft(topic, data, id % 7 === 0 ? "other" : "")],
      id % 20 === 0 ? { idempotencyKey: `k${id}` } : {},
    );
  }
  await log.prune({ maxHistory: LAST - FIRST + 1 }, clock.nowMs);
  original = new Map(log.read({}, 0, 1000).events.map((event) => [event.id, event]));
  expected = filters.map((filter) => [...walk((from) => log.read(filter, from, 1000), 0)].flatMap(idsOfPage));
  await log.close();
  bytes = readFileSync(folder.file());
});

afterAll(() => folder[Symbol.dispose]());

function idsOfPage({ events }: Page): number[] {
  return events.map(({ id }) => id);
}

/** What a damaged file did to its readers. */
interface Outcome {
  readonly refused: boolean;
  /** Some event was not served. */
  readonly missing: boolean;
  /** Events that were missing, and that nothing told of. */
  readonly silent: readonly string[];
  /** Events that were served although they are not what was published. */
  readonly wrong: readonly string[];
}

async function readEverything(path: string): Promise<Outcome> {
  let log: EventLog;
  try {
    log = new SqliteEventLog(path, { durability: "os", clock: new FakeClock().read });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    return { refused: true, missing: true, silent: [], wrong: [] };
  }
  try {
    const outcomes = filters.map((filter, index) => ask(log, filter, expected[index] ?? []));
    const appended = await outcomeOf(() => log.append([draft("orders.0")]));
    const reused = appended?.events.filter(({ id }) => id <= LAST).map(({ id }) => `id ${id} was given again`) ?? [];
    return {
      refused: false,
      missing: outcomes.some(({ missing }) => missing),
      silent: outcomes.flatMap(({ silent }) => silent),
      wrong: [...outcomes.flatMap(({ wrong }) => wrong), ...reused],
    };
  } finally {
    await log.close();
  }
}

function ask(log: EventLog, filter: Filter, ids: readonly number[]): Omit<Outcome, "refused"> {
  const answers = [read(log, filter, "read"), read(log, filter, "readBack")];
  const wrong = answers.flatMap(({ events }) => events).filter((event) => event.json !== original.get(event.id)?.json);
  const missing = answers.flatMap(({ events, told }) => {
    const served = new Set(events.map(({ id }) => id));
    return ids.filter((id) => !served.has(id)).map((id) => ({ id, isTold: told === "all" || told.has(id) }));
  });
  return {
    missing: missing.length > 0,
    silent: missing.filter(({ isTold }) => !isTold).map(({ id }) => `event ${id} by ${JSON.stringify(filter)}`),
    wrong: wrong.map(({ json }) => json),
  };
}

/** What was served, and which events were told to be damaged: all of them when there was an error instead of an answer. */
function read(
  log: EventLog,
  filter: Filter,
  method: "read" | "readBack",
): { events: Event[]; told: Set<number> | "all" } {
  try {
    const pages = [...walk((from) => log[method](filter, from, 100), method === "read" ? 0 : LAST + 1)];
    return { events: pages.flatMap(({ events }) => events), told: new Set(pages.flatMap(({ damaged }) => damaged)) };
  } catch (error) {
    if (error instanceof BusError) return { events: [], told: "all" };
    throw error;
  }
}

/** What the call answers; undefined when it fails as it should. */
async function outcomeOf<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof BusError) return undefined;
    throw error;
  }
}

async function findings(path: string): Promise<string[]> {
  const found: string[] = [];
  try {
    await checkFile(path, { onDamage: (detail) => void found.push(detail) });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    found.push(error.message);
  }
  return found;
}

function integrityCheckMisses(path: string): boolean {
  try {
    const database = new Database(path, { readonly: true });
    try {
      return database.query("pragma integrity_check").values()[0]?.[0] === "ok";
    } finally {
      database.close(true);
    }
  } catch {
    return false;
  }
}

/** What is wrong with how flipped bits were dealt with. */
async function faultsOf(name: string, bits: readonly number[]): Promise<string[]> {
  const bad: string[] = [];
  const counts = { harmful: 0, refused: 0, found: 0, missedBySqlite: 0 };
  for (const bit of bits) {
    const path = folder.file("flipped.db");
    writeFileSync(path, flipped(bytes, bit));
    const found = await findings(path);
    const isMissed = integrityCheckMisses(path);
    const { refused, missing, silent, wrong } = await readEverything(path);
    bad.push(...[...silent, ...wrong].map((what) => `bit ${bit}: ${what}`));
    if ((missing || refused) && found.length === 0) bad.push(`bit ${bit}: the check finds nothing`);
    if (missing || refused) counts.harmful++;
    if (refused) counts.refused++;
    if (found.length > 0) counts.found++;
    if (found.length > 0 && isMissed) counts.missedBySqlite++;
  }
  console.log(`${name}, seed ${SEED}:`, counts);
  return bad;
}

/** Where the blocks of the tail stand: at the end of their page. */
function bytesOfBlocks(): { start: number; length: number } {
  const database = new Database(folder.file(), { readonly: true });
  const root = Number(database.query("select rootpage from sqlite_schema where name = 'tail'").values()[0]?.[0]);
  const rows = Number(database.query("select count(*) from tail").values()[0]?.[0]);
  database.close(true);
  expect(rows).toBeGreaterThan(5);
  const length = rows * BYTES_PER_BLOCK;
  return { start: root * PAGE_BYTES - length, length };
}

describe("flipped bits in a closed history", () => {
  test("are never served, never silent, and found by the check, wherever they are", async () => {
    const random = randomFrom(SEED);
    const bits = Array.from({ length: FLIPS }, () => Math.floor(random() * bytes.length * 8));
    expect(await faultsOf("anywhere", bits)).toEqual([]);
  }, 120_000);

  test("are so, too, in what tells whose the newest events are", async () => {
    const random = randomFrom(SEED);
    const { start, length } = bytesOfBlocks();
    const bits = Array.from({ length: FLIPS / 3 }, () => start * 8 + Math.floor(random() * length * 8));
    expect(await faultsOf("in the blocks", bits)).toEqual([]);
  }, 120_000);
});
