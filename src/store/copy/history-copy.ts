import type { Database, Statement } from "bun:sqlite";
import type { Bounds } from "../events/bounds.ts";
import { Segments } from "../events/segment.ts";
import { readMeta } from "../file/meta.ts";
import { nextTurn } from "../file/next-turn.ts";
import { makeHistory } from "../file/sqlite.ts";
import { TailCopy } from "./tail-copy.ts";

/** What a slice may hold the loop for, in milliseconds. An append passes some turns of the loop, each with a slice in it. */
const SLICE_MS = 2;
/** Rows between two looks at the clock, and the bytes after which it is looked at before. */
const CHUNK_ROWS = 64;
const CHUNK_BYTES = 256 * 1024;
/** Series that are read at a time. */
const CHUNK_SERIES = 64;
/** Postings that are copied between two looks at the clock: one has 128 KiB at the most. */
const CHUNK_POSTINGS = 8;

/** Tables that may be large, or that others depend on: each is copied in its own way. */
const KNOWN_TABLES = ["meta", "series", "posting", "event", "tail", "idempotency_key"];

interface EventRow {
  readonly id: number;
  readonly series_id: number;
  readonly created_at: number;
  readonly head_checksum: number;
  readonly checksum: number;
  readonly data: string;
}

export interface CopyOptions {
  /** Told now and then how much of the events is done: 0 to 1. */
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Throws when the copy should be given up. Asked in every turn of the loop. */
  readonly checkGoOn?: () => void;
  /** What a slice may hold the loop for, in milliseconds; only tests change it. */
  readonly sliceMs?: number;
}

/**
 * Copies a history, which may be written meanwhile, into a file that is made: all events up to the newest one of a
 * moment near the beginning, and everything that is known of them. Holds the loop for a few milliseconds at a time.
 *
 * No event may be removed meanwhile. What is appended after that moment is not in the copy. A segment of the index that
 * is written meanwhile is in it for some series and not for others, as it is after a crash. Nothing of the copy is
 * synced to the disk, and what there is of it when this throws is of no use.
 */
export async function copyHistory(
  source: Database,
  bounds: Bounds,
  path: string,
  options: CopyOptions = {},
): Promise<void> {
  const target = makeHistory(path);
  try {
    await new Copy(source, target, options).run(bounds);
  } finally {
    target.close(true);
  }
}

class Copy {
  readonly #source: Database;
  readonly #target: Database;
  readonly #options: CopyOptions;
  #turnMs = performance.now();

  constructor(source: Database, target: Database, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  async run(bounds: Bounds): Promise<void> {
    this.#target.run("begin");
    // What the index tells of itself comes before the index, which may only be further.
    this.#copyWhole("meta");
    for (const table of this.#otherTables()) this.#copyWhole(table);
    const countedTo = await this.#copySeries();
    // No turn of the loop has passed since the last series: every event up to here is of one that was copied.
    const { floor, head } = bounds;
    await this.#copyPostings(countedTo);
    await this.#copyEvents(floor, head);
    await this.#copyKeys(head);
    this.#target.run("commit");
  }

  /** Tables that stay small. */
  #otherTables(): string[] {
    const rows = this.#source.query("select name from sqlite_schema where type = 'table'").values();
    return rows.map(([name]) => String(name)).filter((name) => !KNOWN_TABLES.includes(name) && !/^sqlite_/.test(name));
  }

  #copyWhole(table: string): void {
    this.#target.run(`delete from "${table}"`);
    const rows = this.#source.query(`select * from "${table}"`).values();
    if (rows.length === 0) return;
    using insert = this.#insertInto(table, rows[0]?.length ?? 0);
    for (const row of rows) insert.run(...(row as never[]));
  }

  /** Answers the last id that each series counts as its own, by series id. */
  async #copySeries(): Promise<Map<number, number>> {
    const countedTo = new Map<number, number>();
    using insert = this.#insertInto("series", 7);
    using series = this.#source.prepare<unknown, [number]>(
      `select * from series where id > ? order by id limit ${CHUNK_SERIES}`,
    );
    for (let last = 0; ; ) {
      const rows = series.values(last);
      if (rows.length === 0) return countedTo;
      for (const row of rows) {
        insert.run(...(row as never[]));
        last = Number(row[0]);
        countedTo.set(last, Number(row[5]));
      }
      await this.#yield();
    }
  }

  /** What is counted of a series and what is indexed of it must agree: so what was written since then is left out. */
  async #copyPostings(countedTo: ReadonlyMap<number, number>): Promise<void> {
    const { segment_size } = readMeta(this.#target);
    const segments = new Segments(segment_size);
    const lastSegment = segments.of(countedTo.values().reduce((last, id) => Math.max(last, id), 0));
    using insert = this.#insertInto("posting", 5);
    using postings = this.#source.prepare<unknown, [number, number, number]>(
      `select * from posting where (segment, series_id) > (?, ?) and segment <= ?
        order by segment, series_id limit ${CHUNK_POSTINGS}`,
    );
    for (let last: [number, number] = [-1, 0]; ; ) {
      const rows = postings.values(...last, lastSegment);
      if (rows.length === 0) return;
      for (const row of rows) {
        const [segment, seriesId] = row as [number, number];
        if (segment <= segments.of(countedTo.get(seriesId) ?? 0)) insert.run(...(row as never[]));
        last = [segment, seriesId];
      }
      await this.#yield();
    }
  }

  async #copyEvents(floor: number, head: number): Promise<void> {
    using insert = this.#insertInto("event", 6);
    const tail = new TailCopy(this.#target);
    using events = this.#source.prepare<EventRow, [number, number]>(
      "select * from event where id between ? and ? order by id",
    );
    for (let first = floor; first <= head; ) {
      first = eachOfChunk(events, first, Math.min(first + CHUNK_ROWS - 1, head), (row) => {
        insert.run(row.id, row.series_id, row.created_at, row.head_checksum, row.checksum, row.data);
        tail.see(row);
      });
      await this.#yield(() => (first - floor) / (head - floor + 1));
    }
    this.#options.onProgress?.(1);
  }

  /** What was published later is not in the copy, so its key must not be, either. */
  async #copyKeys(head: number): Promise<void> {
    using insert = this.#insertInto("idempotency_key", 5);
    using keys = this.#source.prepare(`select * from idempotency_key where key > ? order by key limit ${CHUNK_ROWS}`);
    for (let last = ""; ; ) {
      const rows = keys.values(last);
      if (rows.length === 0) return;
      for (const row of rows) if (Number(row[2]) <= head) insert.run(...(row as never[]));
      last = String(rows.at(-1)?.[0]);
      await this.#yield();
    }
  }

  #insertInto(table: string, columns: number): Statement {
    return this.#target.prepare(`insert into "${table}" values (${Array(columns).fill("?").join(", ")})`);
  }

  /** Lets the loop serve what waits, once the slice is over. The pages of the slice are written at its end. */
  async #yield(done?: () => number): Promise<void> {
    if (performance.now() - this.#turnMs < (this.#options.sliceMs ?? SLICE_MS)) return;
    this.#target.run("commit");
    if (done) this.#options.onProgress?.(done());
    await nextTurn();
    this.#turnMs = performance.now();
    this.#options.checkGoOn?.();
    this.#target.run("begin");
  }
}

/** Calls back with events until there are many bytes of them; returns the id to go on from. */
function eachOfChunk(
  events: Statement<EventRow, [number, number]>,
  first: number,
  last: number,
  copy: (row: EventRow) => void,
): number {
  let bytes = 0;
  for (const row of events.iterate(first, last)) {
    copy(row);
    bytes += row.data.length;
    if (bytes > CHUNK_BYTES) return row.id + 1;
  }
  return last + 1;
}
