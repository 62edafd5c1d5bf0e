import { decode, NO_SEGMENT, PostingDamage, type StoredPosting } from "../events/posting-table.ts";
import type { Series } from "../events/series.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import type { CheckParts, EventWitness } from "./event-check.ts";

interface PostingRow {
  readonly series_id: number;
  readonly segment: number;
  readonly previous: number;
  readonly checksum: number;
  readonly offsets: Uint8Array;
}

/** Compares the index with the events, a segment at a time, and its rows with one another. */
export class IndexCheck implements EventWitness {
  readonly #parts: CheckParts;
  readonly #floor: number;
  /** Offsets of the segment that is being seen. */
  readonly #seen = new Map<Series, number[]>();
  /** Offsets in it at which nobody can tell whose event it is. */
  readonly #missed = new Set<number>();
  #segment = NO_SEGMENT;
  /** How many series each segment has events of; left out where that is not known. */
  readonly #seriesIn = new Map<number, number>();

  constructor(parts: CheckParts) {
    this.#parts = parts;
    this.#floor = parts.meta.pruned_to + 1;
  }

  see(series: Series, id: number): void {
    this.#enter(id);
    const offset = this.#parts.segments.offsetOf(id);
    const offsets = this.#seen.get(series);
    if (offsets) offsets.push(offset);
    else this.#seen.set(series, [offset]);
  }

  miss(id: number): void {
    this.#enter(id);
    this.#missed.add(this.#parts.segments.offsetOf(id));
  }

  finish(): void {
    this.#leave();
    this.#compareRows();
  }

  #enter(id: number): void {
    const segment = this.#parts.segments.of(id);
    if (segment === this.#segment) return;
    this.#leave();
    this.#segment = segment;
  }

  /** Compares the segment that was seen with its postings. */
  #leave(): void {
    if (this.#segment === NO_SEGMENT) return;
    for (const [series, offsets] of this.#seen) this.#compareReadable(series, offsets);
    if (this.#missed.size === 0) this.#seriesIn.set(this.#segment, this.#seen.size);
    this.#seen.clear();
    this.#missed.clear();
  }

  #compareReadable(series: Series, offsets: readonly number[]): void {
    try {
      this.#compareOne(series, offsets);
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      this.#parts.damage.note(`${nameOf(series.id, this.#segment)}: not readable: ${error.message}`);
    }
  }

  #compareOne(series: Series, offsets: readonly number[]): void {
    const { segments, damage, meta } = this.#parts;
    const row = this.#rowOf(series, this.#segment);
    if (row === undefined && segments.lastOf(this.#segment) <= meta.indexed_to) {
      damage.note(`${nameOf(series.id, this.#segment)}: missing`);
    }
    const posting = decodeIntact(series.id, row);
    if (posting === undefined) return;
    const expected = Array.from(posting.offsets).filter((offset) => this.#isKept(offset) && !this.#missed.has(offset));
    if (expected.length === offsets.length && expected.every((offset, index) => offset === offsets[index])) return;
    damage.note(`${nameOf(series.id, this.#segment)}: disagrees with the events`);
  }

  #isKept(offset: number): boolean {
    return this.#parts.segments.idAt(this.#segment, offset) >= this.#floor;
  }

  #rowOf(series: Series, segment: number): unknown[] | undefined {
    return this.#parts.database
      .query("select segment, previous, checksum, offsets from posting where segment = ? and series_id = ?")
      .values(segment, series.id)[0];
  }

  /** Looks at the rows in their own order: each names the one before it, and there is one for each series of a segment. */
  #compareRows(): void {
    const { database, series, segments } = this.#parts;
    const floorSegment = segments.of(this.#floor);
    const lastOf = new Map<number, number>();
    const rowsIn = new Map<number, number>();
    const rows = database.query<PostingRow, []>("select * from posting order by segment, series_id").iterate();
    for (const row of rows) {
      if (row.segment < floorSegment) continue;
      this.#compareRow(row, lastOf.get(row.series_id) ?? NO_SEGMENT, floorSegment);
      lastOf.set(row.series_id, row.segment);
      if (this.#holdsKept(row)) rowsIn.set(row.segment, (rowsIn.get(row.segment) ?? 0) + 1);
    }
    for (const one of series.all()) this.#compareLast(one, lastOf.get(one.id) ?? NO_SEGMENT, floorSegment);
    this.#compareNumbers(rowsIn);
  }

  #compareRow(row: PostingRow, before: number, floorSegment: number): void {
    const { damage, series } = this.#parts;
    const name = nameOf(row.series_id, row.segment);
    if (decodeIntact(row.series_id, [row.segment, row.previous, row.checksum, row.offsets]) === undefined) {
      damage.note(`${name}: checksum mismatch`);
      return;
    }
    if (series.get(row.series_id) === undefined) damage.note(`${name}: of a series that is missing`);
    const isChained = before === NO_SEGMENT ? row.previous < floorSegment : row.previous === before;
    if (!isChained) damage.note(`${nameOf(row.series_id, row.previous)}: missing`);
  }

  #compareLast(series: Series, last: number, floorSegment: number): void {
    const { segments, damage } = this.#parts;
    const expected = series.countedTo === 0 ? NO_SEGMENT : segments.of(series.countedTo);
    if (expected >= floorSegment && expected > last) damage.note(`${nameOf(series.id, expected)}: missing`);
    if (last > expected) damage.note(`${nameOf(series.id, last)}: of events that are not counted`);
  }

  #compareNumbers(rowsIn: ReadonlyMap<number, number>): void {
    const { damage } = this.#parts;
    for (const [segment, rows] of rowsIn) {
      const isBeyond = segment > this.#segment;
      const possible = isBeyond ? 0 : (this.#seriesIn.get(segment) ?? rows);
      if (rows > possible) damage.note(`the index of segment ${segment}: ${rows - possible} rows of no events`);
    }
  }

  /** Of the oldest segment a part may have been removed. */
  #holdsKept({ segment, offsets }: PostingRow): boolean {
    if (!(offsets instanceof Uint8Array) || offsets.length < 2) return true;
    const lastOffset = (offsets.at(-2) ?? 0) + 256 * (offsets.at(-1) ?? 0);
    return this.#parts.segments.idAt(segment, lastOffset) >= this.#floor;
  }
}

function decodeIntact(seriesId: number, row: unknown[] | undefined): StoredPosting | undefined {
  try {
    return decode(seriesId, row);
  } catch (error) {
    if (error instanceof PostingDamage) return undefined;
    throw error;
  }
}

function nameOf(seriesId: number, segment: number): string {
  return `the index of series ${seriesId} in segment ${segment}`;
}
