import type { Database, Statement } from "bun:sqlite";
import type { Damage } from "../file/damage.ts";
import { Meta } from "../file/meta.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import { ENDS_PER_ROW, endsChecksumOf, endsRowOf } from "./series-row.ts";

/** Events after which changed ends are written. Opening reads the heads of up to twice as many events. */
const INTERVAL_EVENTS = 65_536;

/** A row of the table: the newest event of each of some series. */
interface EndsRow {
  readonly firstId: number;
  readonly ends: Float64Array;
  /** The row in the file is damaged. It stays so, and the chains of its series are not followed. */
  readonly isDamaged: boolean;
}

export interface SeriesEndsOptions {
  readonly database: Database;
  readonly damage: Damage;
  /** The event up to which the file has the ends. */
  readonly endsTo: number;
  /** Events after which changed ends are written; only tests change it. */
  readonly intervalEvents?: number | undefined;
}

/**
 * The newest event of each series: eight bytes a series, in memory once any series of the row was used.
 *
 * The order on disk: the file has the ends as of `ends_to`, tens of thousands of events before the head. When enough
 * events have followed, the rows changed by then become due. Each transaction that appends events writes a few of them,
 * so that no publisher waits for many. The transaction that writes the last one raises `ends_to` to the head at which
 * they became due. A row may then be newer than `ends_to`, never older: after a crash, the heads of the events after
 * `ends_to` give the rest.
 */
export class SeriesEnds {
  /** The event up to which the file had the ends when it was opened. */
  readonly openedTo: number;
  readonly #damage: Damage;
  readonly #select: Statement;
  readonly #stored: Statement;
  readonly #upsert: Statement;
  readonly #delete: Statement;
  readonly #meta: Meta;
  readonly #interval: number;
  readonly #rows = new Map<number, EndsRow>();
  /** The row that was looked up last: consecutive look-ups are often of one series. */
  #lastRow: EndsRow | undefined;
  /** First ids of the rows that have changed since the last set became due. */
  #changed = new Set<number>();
  /** First ids of the due rows that are not written yet, and the head up to which they are then exact. */
  #due: { readonly rows: number[]; readonly total: number; readonly head: number } | undefined;
  #endsTo: number;

  constructor({ database, damage, endsTo, intervalEvents = INTERVAL_EVENTS }: SeriesEndsOptions) {
    this.#damage = damage;
    this.#select = database.prepare("select ends, checksum from series_end where first_id = ?");
    this.#stored = database.prepare("select first_id from series_end where first_id between ? and ?");
    this.#upsert = database.prepare("insert or replace into series_end (first_id, ends, checksum) values (?, ?, ?)");
    this.#delete = database.prepare("delete from series_end where first_id = ?");
    this.#meta = new Meta(database);
    this.#interval = intervalEvents;
    this.openedTo = endsTo;
    this.#endsTo = endsTo;
  }

  /** The newest event of the series; 0 if it has none, or if its row is damaged. */
  lastId(seriesId: number): number {
    return this.#row(seriesId).ends[(seriesId - 1) % ENDS_PER_ROW] ?? 0;
  }

  /** Whether the newest event of the series can be trusted. */
  isIntact(seriesId: number): boolean {
    return !this.#row(seriesId).isDamaged;
  }

  /** Sets the newest event of a series; 0 if there is none. */
  set(seriesId: number, lastId: number): void {
    const row = this.#row(seriesId);
    row.ends[(seriesId - 1) % ENDS_PER_ROW] = lastId;
    if (!row.isDamaged) this.#changed.add(row.firstId);
  }

  /** The series in a range of ids, both inclusive, whose newest event is `least` or later. */
  *endingFrom(least: number, firstSeriesId: number, lastSeriesId: number): Generator<number> {
    const stored = this.#stored.values(endsRowOf(firstSeriesId), lastSeriesId) as [number][];
    for (const firstId of new Set([...stored.map(([id]) => id), ...this.#rows.keys()])) {
      const last = Math.min(firstId + ENDS_PER_ROW - 1, lastSeriesId);
      for (let id = Math.max(firstId, firstSeriesId); id <= last; id++) if (this.lastId(id) >= least) yield id;
    }
  }

  /** The series in the given rows whose newest event is in a range of ids, both inclusive. */
  *endingWithin(first: number, last: number, rows: Iterable<number>): Generator<number> {
    for (const firstId of rows) {
      const { ends } = this.#row(firstId);
      for (let index = 0; index < ENDS_PER_ROW; index++) {
        const lastId = ends[index] ?? 0;
        if (lastId >= first && lastId <= last) yield firstId + index;
      }
    }
  }

  /**
   * Writes some of the due rows, in the open transaction, which appends `events` events. After its commit, call
   * `committed`; after a rollback, nothing: the rows are still due.
   */
  write(events: number): void {
    if (this.#due === undefined) return;
    const { rows, head } = this.#due;
    for (const firstId of rows.slice(-this.#share(this.#due, events))) this.#write(this.#row(firstId));
    if (this.#share(this.#due, events) === rows.length) this.#meta.set("ends_to", head);
  }

  /** The transaction that appended `events` events was committed, up to this head. */
  committed(events: number, head: number): void {
    if (this.#due) {
      const share = this.#share(this.#due, events);
      for (const firstId of this.#due.rows.splice(this.#due.rows.length - share)) this.#dropIfEmpty(firstId);
      if (this.#due.rows.length > 0) return;
      this.#endsTo = this.#due.head;
      this.#due = undefined;
    }
    if (head - this.#endsTo < this.#interval) return;
    const rows = [...this.#changed];
    this.#due = { rows, total: rows.length, head };
    this.#changed = new Set();
  }

  /** Whether opening would have to read the heads of events. */
  isBehind(head: number): boolean {
    return this.#endsTo < head;
  }

  /**
   * Writes all rows that have changed, in the open transaction, so that opening need not read the heads of events up to
   * `head`, the newest one. Nothing may be appended after that.
   */
  writeAll(head: number): void {
    for (const firstId of new Set([...(this.#due?.rows ?? []), ...this.#changed])) this.#write(this.#row(firstId));
    this.#meta.set("ends_to", head);
  }

  #write({ firstId, ends }: EndsRow): void {
    const bytes = new Uint8Array(ends.buffer);
    if (isEmpty(ends)) this.#delete.run(firstId);
    else this.#upsert.run(firstId, bytes, endsChecksumOf(firstId, bytes));
  }

  /** Keeps nothing for series that were removed. */
  #dropIfEmpty(firstId: number): void {
    const row = this.#rows.get(firstId);
    if (row === undefined || !isEmpty(row.ends) || this.#changed.has(firstId)) return;
    this.#rows.delete(firstId);
    this.#lastRow = undefined;
  }

  /** The number of rows that the next transaction writes, so that all are written within half an interval. */
  #share({ rows, total }: { readonly rows: readonly number[]; readonly total: number }, events: number): number {
    return Math.min(rows.length, Math.ceil((2 * total * events) / this.#interval));
  }

  #row(seriesId: number): EndsRow {
    const firstId = endsRowOf(seriesId);
    if (this.#lastRow?.firstId === firstId) return this.#lastRow;
    const known = this.#rows.get(firstId);
    const row = known ?? this.#read(firstId);
    if (known === undefined) this.#rows.set(firstId, row);
    this.#lastRow = row;
    return row;
  }

  #read(firstId: number): EndsRow {
    const empty = { firstId, ends: new Float64Array(ENDS_PER_ROW) };
    try {
      const [row] = this.#select.values(firstId) as [Uint8Array, number][];
      if (row === undefined) return { ...empty, isDamaged: false };
      const [bytes, checksum] = row;
      if (
        bytes instanceof Uint8Array &&
        bytes.length === ENDS_PER_ROW * 8 &&
        endsChecksumOf(firstId, bytes) === checksum
      ) {
        return { firstId, ends: new Float64Array(bytes.slice().buffer), isDamaged: false };
      }
      this.#noteDamage(firstId, "checksum mismatch");
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      this.#noteDamage(firstId, `not readable: ${error.message}`);
    }
    return { ...empty, isDamaged: true };
  }

  #noteDamage(firstId: number, reason: string): void {
    this.#damage.note(`the ends of the series ${firstId} to ${firstId + ENDS_PER_ROW - 1}: ${reason}`);
  }
}

function isEmpty(ends: Float64Array): boolean {
  return ends.every((lastId) => lastId === 0);
}
