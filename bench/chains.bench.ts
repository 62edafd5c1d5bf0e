/**
 * The cost of finding the events of a series: by a chain through the rows, or by an ordinary index of SQLite.
 *
 *     bun bench/chains.bench.ts [--json FILE]
 *
 * The same table is filled three times: chained, with an index on series, and with neither. Then the first two are read.
 */
import type { Database, Statement } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Event, SeriesName } from "../src/bus/event.ts";
import { toRawJson } from "../src/bus/json.ts";
import { parseTopic } from "../src/bus/topic.ts";
import { readContents } from "../src/store/contents.ts";
import { Series } from "../src/store/events/series.ts";
import { Damage } from "../src/store/file/damage.ts";
import { openDatabase } from "../src/store/file/sqlite.ts";
import { Transactor } from "../src/store/file/transactor.ts";
import { mergeOf } from "../src/store/search/merge.ts";

const EVENTS = 500_000;
const SERIES = 10_000;
const BATCH_EVENTS = 64;
const QUESTIONS = 100;
const WANTED_SERIES = 100;
const LAST = 50;

/** A table of events that is filled and read. */
interface Table {
  /** Appends an event to each of these series. */
  append(seriesIds: readonly number[]): void;
  /** The newest events of these series below an id, newest first. */
  newest(seriesIds: ReadonlySet<number>, before: number): readonly number[];
}

const TOPIC = parseTopic("device.000001.state");
const DATA = toRawJson({ n: 12_345, text: "x".repeat(80) });

/** The store's own parts, without what belongs to publishing: names, listeners, keys. */
function chainedTable(database: Database): Table {
  const { bounds, events, chains } = readContents(database, new Damage(() => {}), { recentEvents: 1 });
  const transactor = new Transactor(database);
  const series = Array.from({ length: SERIES + 1 }, (_, id) => new Series(id, TOPIC, ""));
  for (const one of series) chains.begin(one);
  return {
    append(seriesIds) {
      transactor.run(() => {
        for (const [index, seriesId] of seriesIds.entries()) {
          const id = bounds.head + index + 1;
          const one = series[seriesId];
          if (one === undefined) continue;
          const event = new Event(id, one, "2026-11-23T14:30:00.000Z", DATA);
          events.insert({ id, seriesId, createdAtMs: 0, ...chains.append(one, id), event }, DATA);
        }
      });
      bounds.extendTo(bounds.head + seriesIds.length, 0);
    },
    newest: (seriesIds, before) => {
      const search = { low: 0, high: before, limit: LAST, direction: -1 } as const;
      return mergeOf(chains, seriesIds, search).take(search, () => false)?.ids ?? [];
    },
  };
}

/** The table without links, and with an index on series or none. */
function plainTable(database: Database, isIndexed: boolean): Table {
  database.run(`create table plain (
    id integer primary key, series_id integer not null, created_at integer not null, head_checksum integer not null,
    checksum integer not null, data text not null) strict`);
  if (isIndexed) database.run("create index plain_by_series on plain (series_id, id)");
  const insert = database.prepare("insert into plain values (?, ?, ?, ?, ?, ?)");
  const [begin, commit] = [database.prepare("begin immediate"), database.prepare("commit")];
  const newestOf: Statement = database.prepare(
    `select id from plain where series_id = ? and id < ? order by id desc limit ${LAST}`,
  );
  const name = new SeriesName(TOPIC, "");
  const numbers = new Float64Array(3);
  const bytes = new Uint8Array(numbers.buffer);
  let head = 0;
  return {
    append(seriesIds) {
      begin.run();
      for (const seriesId of seriesIds) {
        const { json } = new Event(++head, name, "2026-11-23T14:30:00.000Z", DATA);
        numbers.set([head, seriesId, 0]);
        insert.run(head, seriesId, 0, Bun.hash.crc32(bytes), Bun.hash.crc32(json), DATA);
      }
      commit.run();
    },
    newest(seriesIds, before) {
      const ids = [...seriesIds].flatMap((id) => newestOf.values(id, before).map(([found]) => Number(found)));
      return ids.sort((a, b) => b - a).slice(0, LAST);
    },
  };
}

/** A linear congruential generator, so that all tables get the same. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function fill(table: Table): number {
  const random = randomOf(1);
  const startMs = performance.now();
  for (let events = 0; events < EVENTS; events += BATCH_EVENTS) {
    table.append(Array.from({ length: BATCH_EVENTS }, () => 1 + random(SERIES)));
  }
  return (EVENTS * 1000) / (performance.now() - startMs);
}

/** The median time of a question. */
function ask(table: Table, beforeOf: (random: (below: number) => number) => number): number {
  const random = randomOf(2);
  const timesMs = Array.from({ length: QUESTIONS }, () => {
    const wanted = new Set(Array.from({ length: WANTED_SERIES }, () => 1 + random(SERIES)));
    const before = beforeOf(random);
    const startMs = performance.now();
    table.newest(wanted, before);
    return performance.now() - startMs;
  });
  return timesMs.sort((a, b) => a - b)[QUESTIONS / 2] ?? Number.NaN;
}

const tables: Readonly<Record<string, (database: Database) => Table>> = {
  chained: chainedTable,
  indexed: (database) => plainTable(database, true),
  bare: (database) => plainTable(database, false),
};

const { values } = parseArgs({ options: { json: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "chains-bench-"));
const rows: { name: string; value: number; unit: string }[] = [];
for (const [name, make] of Object.entries(tables)) {
  const file = openDatabase(join(folder, `${name}.db`), "os");
  const table = make(file.database);
  rows.push({ name: `${name}, append`, value: fill(table), unit: "events/s" });
  if (name !== "bare") {
    rows.push({ name: `${name}, newest`, value: ask(table, () => EVENTS + BATCH_EVENTS), unit: "ms" });
    const inTheMiddle = (random: (below: number) => number) => EVENTS / 4 + random(EVENTS / 2);
    rows.push({ name: `${name}, before`, value: ask(table, inTheMiddle), unit: "ms" });
  }
  file.close();
}
rmSync(folder, { recursive: true });
console.table(rows);
if (values.json !== undefined) {
  await Bun.write(
    values.json,
    `${JSON.stringify({ name: "chains", date: new Date().toISOString(), rows }, null, 2)}\n`,
  );
}
