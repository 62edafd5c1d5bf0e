import type { Database, Statement } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import { Event, formatTime } from "../../bus/event.ts";
import type { RawJson } from "../../bus/json.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import { type EventHead, HEAD_COLUMNS, type HeadRow, headChecksumOf, headOf, isIntact } from "./event-head.ts";
import type { RecentEvents, StoredEvent } from "./recent.ts";
import type { SeriesTable } from "./series-table.ts";

/** Consecutive damaged events that a search by time skips: more than a page of SQLite holds. */
const MAX_DAMAGED_RUN = 10_000;

const MISMATCH = "checksum mismatch";
/** The description of an event whose head cannot be used. */
export const NOT_INTACT = "missing, or checksum mismatch";

const COLUMNS = `${HEAD_COLUMNS}, checksum, data`;

interface EventRow {
  readonly id: number;
  readonly series_id: number;
  readonly created_at: number;
  readonly previous: number;
  readonly skip: number;
  readonly depth: number;
  readonly head_checksum: number;
  readonly checksum: number;
  readonly data: RawJson;
}

/** The loaded events, in the requested order. */
export interface Loaded {
  readonly events: readonly Event[];
  /** Requested ids that cannot be served. */
  readonly damaged: readonly number[];
  /** How many of the ids were processed before a limit. */
  readonly count: number;
}

/** Called with an event that cannot be served, and the reason in a few words: "missing". */
export type OnDamaged = (id: number, reason: string) => void;

export interface EventTableOptions {
  readonly database: Database;
  readonly series: SeriesTable;
  readonly recent: RecentEvents;
  readonly onDamaged: OnDamaged;
}

/** The rows of the events. No event is returned without matching checksums. The newest ones are in memory. */
export class EventTable {
  readonly #series: SeriesTable;
  readonly #recent: RecentEvents;
  readonly #onDamaged: OnDamaged;
  readonly #insert: Statement;
  readonly #row: Statement<EventRow, [number]>;
  readonly #up: Statement<EventRow, [number, number]>;
  readonly #down: Statement<EventRow, [number, number]>;
  readonly #head: Statement;
  readonly #heads: Statement;

  constructor({ database, series, recent, onDamaged }: EventTableOptions) {
    this.#series = series;
    this.#recent = recent;
    this.#onDamaged = onDamaged;
    this.#insert = database.prepare(`insert into event (${COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#row = database.prepare(`select ${COLUMNS} from event where id = ?`);
    this.#up = database.prepare(`select ${COLUMNS} from event where id between ? and ? order by id`);
    this.#down = database.prepare(`select ${COLUMNS} from event where id between ? and ? order by id desc`);
    this.#head = database.prepare(`select ${HEAD_COLUMNS} from event where id = ?`);
    this.#heads = database.prepare(`select ${HEAD_COLUMNS} from event where id between ? and ? order by id`);
  }

  /** Writes the event, with its `data`, in the open transaction. */
  insert({ id, seriesId, createdAtMs, previous, skip, depth, event }: StoredEvent, data: RawJson): void {
    const headChecksum = headChecksumOf(id, seriesId, createdAtMs, previous, skip, depth);
    const checksum = checksumOf(event);
    this.#insert.run(id, seriesId, createdAtMs, previous, skip, depth, headChecksum, checksum, data);
  }

  /** Undefined if the event is missing or damaged, which is then reported. */
  load(id: number): StoredEvent | undefined {
    const recent = this.#recent.get(id);
    if (recent) return recent;
    try {
      return this.#verify(id, this.#row.get(id));
    } catch (error) {
      this.#reportUnreadable(id, error);
      return undefined;
    }
  }

  /** Loads the events with these ids, at least one, until more than `maxBytes` were loaded or `isSpent` is true. */
  loadAll(ids: readonly number[], maxBytes: number, isSpent: () => boolean = () => false): Loaded {
    const events: Event[] = [];
    const damaged: number[] = [];
    const run = this.#runOf(ids);
    let bytes = 0;
    for (const id of ids) {
      if (bytes > maxBytes) break;
      const row = run?.take(id);
      const stored = row ? this.#verify(id, row) : this.load(id);
      if (stored) events.push(stored.event);
      else damaged.push(id);
      bytes += stored?.event.json.length ?? 0;
      if (isSpent()) break;
    }
    run?.close();
    return { events, damaged, count: events.length + damaged.length };
  }

  /** The head of the event; undefined if it is missing or damaged, which is then reported. */
  head(id: number): EventHead | undefined {
    const recent = this.#recent.head(id);
    if (recent) return recent;
    const head = this.#headRow(id);
    if (head && isIntact(head)) return headOf(head);
    this.#onDamaged(id, NOT_INTACT);
    return undefined;
  }

  /** The series of each event from `first` to `last`; 0 if its row is missing or damaged. */
  seriesBetween(first: number, last: number): Float64Array {
    const found = new Float64Array(Math.max(0, last - first + 1));
    const split = Math.max(first, Math.min(last + 1, this.#recent.first));
    if (split > first) for (const row of this.#rowsBetween(first, split - 1)) found[row[0] - first] = row[1];
    for (let id = split; id <= last; id++) found[id - first] = this.#recent.head(id)?.seriesId ?? 0;
    return found;
  }

  /** The series of one event; 0 if it is missing or damaged. One access to the file, whatever the id is. */
  seriesOf(id: number): number {
    return this.headsBetween(id, id)[0]?.seriesId ?? 0;
  }

  /** The intact heads of the events from `first` to `last`, ascending. */
  headsBetween(first: number, last: number): EventHead[] {
    return this.#rowsBetween(first, last).map(headOf);
  }

  /**
   * The newest event between `floor` and `id` that has a time; `floor - 1` and 0 if none has one. The events that are
   * skipped are damaged, and reported.
   */
  timedAt(id: number, floor: number): { id: number; createdAtMs: number } {
    for (let at = id; at >= floor; at--) {
      const head = this.head(at);
      if (head) return head;
      if (id - at > MAX_DAMAGED_RUN) throw new BusError("internal", `the times of the events before ${id} are damaged`);
    }
    return { id: floor - 1, createdAtMs: 0 };
  }

  /** Searching by one id takes less than a range of one. */
  #headRow(id: number): HeadRow | undefined {
    try {
      return (this.#head.values(id) as HeadRow[])[0];
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      return undefined;
    }
  }

  #rowsBetween(first: number, last: number): HeadRow[] {
    try {
      return (this.#heads.values(first, last) as HeadRow[]).filter(isIntact);
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      if (first >= last) return [];
    }
    // One damaged page must not hide the others.
    const middle = Math.floor((first + last) / 2);
    return [...this.#rowsBetween(first, middle), ...this.#rowsBetween(middle + 1, last)];
  }

  #verify(id: number, row: EventRow | null): StoredEvent | undefined {
    if (row === null) return this.#reject(id, "missing");
    const { series_id: seriesId, created_at: createdAtMs, previous, skip, depth, head_checksum, checksum, data } = row;
    const head = { id, seriesId, createdAtMs, previous, skip, depth };
    if (!isIntact([id, seriesId, createdAtMs, previous, skip, depth, head_checksum])) return this.#reject(id, MISMATCH);
    // Damage can replace a text by anything.
    if (typeof data !== "string") return this.#reject(id, MISMATCH);
    const series = this.#series.get(seriesId);
    if (series === undefined) return this.#reject(id, `of series ${seriesId}, which is missing`);
    if (series.isDamaged) return this.#reject(id, `of series ${seriesId}, which is damaged`);
    const event = new Event(id, series, formatTime(createdAtMs), data);
    if (checksumOf(event) !== checksum) return this.#reject(id, MISMATCH);
    return { ...head, event };
  }

  #reject(id: number, reason: string): undefined {
    this.#onDamaged(id, reason);
    return undefined;
  }

  #reportUnreadable(id: number, error: unknown): void {
    if (!isSqliteError(error)) throw error;
    this.#onDamaged(id, `not readable: ${error.message}`);
  }

  /** Reading consecutive ids with one statement costs a third of reading them one by one. */
  #runOf(ids: readonly number[]): Run | undefined {
    const first = ids[0] ?? 0;
    const last = ids.at(-1) ?? 0;
    if (ids.length < 2 || Math.abs(last - first) !== ids.length - 1) return undefined;
    if (this.#recent.has(first) && this.#recent.has(last)) return undefined;
    return new Run(first < last ? this.#up.iterate(first, last) : this.#down.iterate(last, first));
  }
}

/** Rows of consecutive ids, read as they are taken. Ends at the first row that cannot be read. */
class Run {
  readonly #rows: IterableIterator<EventRow>;
  #ahead: EventRow | undefined;

  constructor(rows: IterableIterator<EventRow>) {
    this.#rows = rows;
    this.#ahead = this.#next();
  }

  /** The row of the next id, unless the file does not have it there. */
  take(id: number): EventRow | undefined {
    const row = this.#ahead;
    if (row?.id !== id) return undefined;
    this.#ahead = this.#next();
    return row;
  }

  /** Releases the statement. */
  close(): void {
    this.#rows.return?.();
  }

  #next(): EventRow | undefined {
    try {
      const { value, done } = this.#rows.next();
      return done ? undefined : value;
    } catch (error) {
      if (isSqliteError(error)) return undefined;
      throw error;
    }
  }
}

/** CRC-32 (as in zlib and PNG) of the JSON that readers get, so that no part of an event can change undetected. */
function checksumOf(event: Event): number {
  return Bun.hash.crc32(event.json);
}
