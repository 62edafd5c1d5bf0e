import type { Database, Statement } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import { Event, formatTime } from "../../bus/event.ts";
import type { RawJson } from "../../bus/json.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import type { Series, SeriesTable } from "./series.ts";

/** Damaged events in a row that a look for a time gets past, which is more than a page of SQLite holds. */
const MAX_DAMAGED_RUN = 10_000;

const MISMATCH = "checksum mismatch";
/** All that is known of an event whose head was looked for. */
export const NOT_INTACT = "missing, or checksum mismatch";

interface Row {
  readonly id: number;
  readonly series_id: number;
  readonly created_at: number;
  readonly head_checksum: number;
  readonly checksum: number;
  readonly data: RawJson;
}

export type Head = [id: number, seriesId: number, createdAtMs: number, headChecksum: number];

/** Events that were loaded, in the order that was asked for. */
export interface Loaded {
  readonly events: readonly Event[];
  /** Ids that were asked for and cannot be served. */
  readonly damaged: readonly number[];
  /** How many of the ids were done before the bytes ran out. */
  readonly count: number;
}

/** Told of an event that cannot be served, and why, in few words: "missing". */
export type OnDamaged = (id: number, reason: string) => void;

/** The rows of the events. None leaves here without having matched its checksums. */
export class EventTable {
  readonly #series: SeriesTable;
  readonly #onDamaged: OnDamaged;
  readonly #insert: Statement;
  readonly #row: Statement<Row>;
  readonly #up: Statement<Row>;
  readonly #down: Statement<Row>;
  readonly #heads: Statement;

  constructor(database: Database, series: SeriesTable, onDamaged: OnDamaged) {
    this.#series = series;
    this.#onDamaged = onDamaged;
    this.#insert = database.prepare("insert into event values (?, ?, ?, ?, ?, ?)");
    this.#row = database.prepare<Row, [number]>("select * from event where id = ?");
    this.#up = database.prepare<Row, [number, number]>("select * from event where id between ? and ? order by id");
    this.#down = database.prepare<Row, [number, number]>(
      "select * from event where id between ? and ? order by id desc",
    );
    this.#heads = database.prepare(
      "select id, series_id, created_at, head_checksum from event where id between ? and ? order by id",
    );
  }

  /** Writes the event in the transaction that is open. */
  insert(event: Event, series: Series, createdAtMs: number): void {
    const headChecksum = headChecksumOf(event.id, series.id, createdAtMs);
    this.#insert.run(event.id, series.id, createdAtMs, headChecksum, checksumOf(event), event.rawData);
  }

  /** Undefined when the event is missing or damaged, which is then told. */
  load(id: number): Event | undefined {
    try {
      return this.#verify(id, this.#row.get(id) ?? undefined);
    } catch (error) {
      this.#tellUnreadable(id, error);
      return undefined;
    }
  }

  /** Loads the events of these ids, until what was loaded is over `maxBytes`. */
  loadAll(ids: readonly number[], maxBytes: number): Loaded {
    const events: Event[] = [];
    const damaged: number[] = [];
    const run = this.#runOf(ids);
    let bytes = 0;
    for (const id of ids) {
      if (bytes > maxBytes) break;
      const row = run?.take(id);
      const event = row ? this.#verify(id, row) : this.load(id);
      if (event) events.push(event);
      else damaged.push(id);
      bytes += event?.json.length ?? 0;
    }
    run?.close();
    return { events, damaged, count: events.length + damaged.length };
  }

  /** The series of each event from `first` to `last`; undefined where the row is missing or damaged. */
  seriesBetween(first: number, last: number): (Series | undefined)[] {
    const found = new Array<Series | undefined>(Math.max(0, last - first + 1)).fill(undefined);
    for (const [id, seriesId] of this.#headsBetween(first, last)) found[id - first] = this.#series.get(seriesId);
    return found;
  }

  /**
   * The newest event up to `id`, but not below `floor`, that has a time; `floor - 1` and 0 when none has. Those that are
   * passed over are damaged, and told.
   */
  timedAt(id: number, floor: number): { id: number; createdAtMs: number } {
    for (let at = id; at >= floor; at--) {
      const [head] = this.#headsBetween(at, at);
      if (head) return { id: at, createdAtMs: head[2] };
      this.#onDamaged(at, NOT_INTACT);
      if (id - at > MAX_DAMAGED_RUN) throw new BusError("internal", `the times of the events before ${id} are damaged`);
    }
    return { id: floor - 1, createdAtMs: 0 };
  }

  /** The intact heads of the events from `first` to `last`, ascending. */
  #headsBetween(first: number, last: number): Head[] {
    try {
      return (this.#heads.values(first, last) as Head[]).filter(isIntact);
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      if (first >= last) return [];
    }
    // One broken page must not hide the others.
    const middle = Math.floor((first + last) / 2);
    return [...this.#headsBetween(first, middle), ...this.#headsBetween(middle + 1, last)];
  }

  #verify(id: number, row: Row | undefined): Event | undefined {
    const series = row && this.#series.get(row.series_id);
    if (row === undefined) this.#onDamaged(id, "missing");
    else if (!isIntact([id, row.series_id, row.created_at, row.head_checksum])) this.#onDamaged(id, MISMATCH);
    else if (series === undefined) this.#onDamaged(id, `of series ${row.series_id}, which is missing`);
    else if (series.isDamaged) this.#onDamaged(id, `of series ${row.series_id}, which is damaged`);
    else {
      const event = new Event(id, series, formatTime(row.created_at), row.data);
      if (checksumOf(event) === row.checksum) return event;
      this.#onDamaged(id, MISMATCH);
    }
    return undefined;
  }

  #tellUnreadable(id: number, error: unknown): void {
    if (!isSqliteError(error)) throw error;
    this.#onDamaged(id, `not readable: ${error.message}`);
  }

  /** Reading consecutive ids in one go costs a third of reading them one by one. */
  #runOf(ids: readonly number[]): Run | undefined {
    const first = ids[0] ?? 0;
    const last = ids.at(-1) ?? 0;
    if (ids.length < 2 || Math.abs(last - first) !== ids.length - 1) return undefined;
    return new Run(first < last ? this.#up.iterate(first, last) : this.#down.iterate(last, first));
  }
}

/** Rows of consecutive ids, read on as they are taken. Ends at the first row that cannot be read. */
class Run {
  readonly #rows: IterableIterator<Row>;
  #ahead: Row | undefined;

  constructor(rows: IterableIterator<Row>) {
    this.#rows = rows;
    this.#ahead = this.#next();
  }

  /** The row of the next id, unless the file has it elsewhere, or not at all. */
  take(id: number): Row | undefined {
    const row = this.#ahead;
    if (row?.id !== id) return undefined;
    this.#ahead = this.#next();
    return row;
  }

  /** Releases the statement. */
  close(): void {
    this.#rows.return?.();
  }

  #next(): Row | undefined {
    try {
      const { value, done } = this.#rows.next();
      return done ? undefined : value;
    } catch (error) {
      if (isSqliteError(error)) return undefined;
      throw error;
    }
  }
}

/** CRC-32 (as in zlib and PNG) of the JSON that readers get, so that no part of an event can change unseen. */
function checksumOf(event: Event): number {
  return Bun.hash.crc32(event.json);
}

const numbers = new Float64Array(3);
const bytes = new Uint8Array(numbers.buffer);

/** CRC-32 of what an event is found by. Every machine that Bun runs on is little-endian. */
function headChecksumOf(id: number, seriesId: number, createdAtMs: number): number {
  numbers[0] = id;
  numbers[1] = seriesId;
  numbers[2] = createdAtMs;
  return Bun.hash.crc32(bytes);
}

export function isIntact([id, seriesId, createdAtMs, headChecksum]: readonly [
  number,
  number,
  number,
  number,
]): boolean {
  return headChecksumOf(id, seriesId, createdAtMs) === headChecksum && Number.isSafeInteger(createdAtMs);
}
