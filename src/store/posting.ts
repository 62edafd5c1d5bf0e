import type { Database } from "bun:sqlite";
import type { Bounds } from "./bounds.ts";
import type { Damage } from "./damage.ts";
import { type EventTable, NOT_INTACT } from "./event-table.ts";
import { Meta } from "./meta.ts";
import { nextTurn } from "./next-turn.ts";
import { NO_SEGMENT, type Posting, PostingDamage, PostingTable, type StoredPosting } from "./posting-table.ts";
import type { Segments } from "./segment.ts";
import type { Series, SeriesTable } from "./series.ts";
import { isSqliteError } from "./sqlite-error.ts";
import type { Transactor } from "./transactor.ts";

/** Postings written in one transaction unless a test says otherwise: about 2 ms of work. */
export const SEAL_SLICE = 256;
/** Events read at a time when the history is opened. */
const TAIL_PAGE = 8192;

export interface PostingIndexParts {
  readonly database: Database;
  readonly transactor: Transactor;
  readonly segments: Segments;
  readonly bounds: Bounds;
  readonly series: SeriesTable;
  readonly events: EventTable;
  readonly damage: Damage;
  /** Postings written in one transaction. */
  readonly sealSlice: number;
}

/**
 * Which events belong to a series: an inverted index written a segment at a time.
 *
 * Publishing must only ever append, or random index pages cost more than the events: so the ids of the newest,
 * unfinished segments are kept in memory, and a segment that is full is written at once, sorted by series. After a
 * crash the unfinished part is read again from the events, at most two segments of them.
 */
export class PostingIndex {
  readonly #parts: PostingIndexParts;
  readonly #table: PostingTable;
  readonly #meta: Meta;
  /** Unfinished segments, oldest first. */
  readonly #tail = new Map<number, Map<Series, number[]>>();
  #indexedTo: number;
  #isTrusted = true;
  #isStopped = false;
  #sealing: Promise<void> | undefined;

  constructor(parts: PostingIndexParts, indexedTo: number) {
    this.#parts = parts;
    this.#table = new PostingTable(parts.database);
    this.#meta = new Meta(parts.database);
    this.#indexedTo = indexedTo;
    if (parts.series.hasDamaged) this.#isTrusted = false;
    this.#readTail();
    this.#compareCounts();
  }

  /** False once something was found that can make the index miss an event. It stays so until the file is opened anew. */
  get isTrusted(): boolean {
    return this.#isTrusted;
  }

  /** Notes a committed event. */
  add(series: Series, id: number): void {
    const { segments } = this.#parts;
    const segment = segments.of(id);
    const postings = this.#tail.get(segment) ?? new Map<Series, number[]>();
    this.#tail.set(segment, postings);
    const offsets = postings.get(series);
    if (offsets) offsets.push(segments.offsetOf(id));
    else postings.set(series, [segments.offsetOf(id)]);
  }

  /** The first posting of the series in `segment` or above it. Undefined, too, when the index is not to be trusted. */
  up(series: Series, segment: number): Posting | undefined {
    return this.#trusting(() => {
      const stored = this.#storedUp(series, segment);
      if (stored) return stored;
      for (const [tailSegment, postings] of this.#tail) {
        const offsets = tailSegment >= segment ? postings.get(series) : undefined;
        if (offsets) return { segment: tailSegment, offsets };
      }
      return undefined;
    });
  }

  /** The last posting of the series in `segment` or below it. Undefined, too, when the index is not to be trusted. */
  down(series: Series, segment: number): Posting | undefined {
    return this.#trusting(() => {
      for (const [tailSegment, postings] of [...this.#tail].reverse()) {
        const offsets = tailSegment <= segment ? postings.get(series) : undefined;
        if (offsets) return { segment: tailSegment, offsets };
      }
      return this.#storedDown(series, segment);
    });
  }

  /** True unless the index is sure that the series has no event after `id`. */
  reachesBeyond(series: Series, id: number): boolean {
    const { segments } = this.#parts;
    let posting = this.up(series, segments.of(id + 1));
    while (posting && segments.idAt(posting.segment, posting.offsets[posting.offsets.length - 1] ?? 0) <= id) {
      posting = this.up(series, posting.segment + 1);
    }
    return posting !== undefined || !this.#isTrusted;
  }

  /** Drops the postings of a series that lie wholly below the floor, in the transaction that is open. */
  deleteBelowFloor(series: Series): void {
    this.#table.deleteBelow(series.id, this.#floorSegment);
  }

  /** Drops every posting of a series, in the transaction that is open. */
  delete(series: Series): void {
    this.#table.delete(series.id);
  }

  /** True when a segment is full and nobody is writing it. */
  get needsSeal(): boolean {
    return this.#sealing === undefined && this.#isSegmentFull;
  }

  /** Writes the segments that are full, a slice a turn of the loop. Rejects with what SQLite threw; may be called again. */
  seal(): Promise<void> {
    this.#sealing ??= this.#sealFull().finally(() => {
      this.#sealing = undefined;
    });
    return this.#sealing;
  }

  /** Ends the writing of segments after the slice that is being written; what is missing is written some other time. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#sealing?.catch(() => {});
  }

  get #isSegmentFull(): boolean {
    return this.#parts.bounds.head >= this.#indexedTo + this.#parts.segments.size;
  }

  get #floorSegment(): number {
    return this.#parts.segments.of(this.#parts.bounds.floor);
  }

  async #sealFull(): Promise<void> {
    const { segments, transactor, bounds, sealSlice } = this.#parts;
    while (this.#isSegmentFull) {
      const segment = segments.of(this.#indexedTo + 1);
      const postings = [...(this.#tail.get(segment) ?? [])];
      for (let start = 0; start < postings.length; start += sealSlice) {
        await nextTurn();
        if (this.#isStopped) return;
        this.#sealSlice(segment, postings.slice(start, start + sealSlice));
      }
      const indexedTo = segments.lastOf(segment);
      transactor.run(() => {
        this.#meta.set("indexed_to", indexedTo);
        this.#meta.set("head", bounds.head);
      });
      this.#indexedTo = indexedTo;
      this.#tail.delete(segment);
    }
  }

  #sealSlice(segment: number, postings: readonly (readonly [Series, readonly number[]])[]): void {
    const { segments, series, transactor } = this.#parts;
    const lastIdOf = (offsets: readonly number[]) => segments.idAt(segment, offsets.at(-1) ?? 0);
    // A seal that was cut short is done again: the series that it reached are counted already.
    const open = postings.filter(([one, offsets]) => one.countedTo < lastIdOf(offsets) && series.get(one.id) === one);
    transactor.run(() => {
      for (const [one, offsets] of open) this.#sealOne(segment, one, offsets, lastIdOf(offsets));
    });
    for (const [one, offsets] of open) one.countedTo = lastIdOf(offsets);
  }

  #sealOne(segment: number, series: Series, offsets: readonly number[], lastId: number): void {
    const { segments, bounds } = this.#parts;
    if (segment >= this.#floorSegment) {
      const previous = series.countedTo === 0 ? NO_SEGMENT : segments.of(series.countedTo);
      this.#table.insert(series.id, segment, previous, offsets);
    }
    const kept = offsets.filter((offset) => segments.idAt(segment, offset) >= bounds.floor).length;
    this.#parts.series.countUpTo(series, lastId, kept);
  }

  #storedUp(series: Series, segment: number): StoredPosting | undefined {
    const from = Math.max(segment, this.#floorSegment);
    const found = this.#table.up(series.id, from);
    const isExpected = this.#lastStored(series) >= from;
    if ((found !== undefined) !== isExpected || (found && found.previous >= from)) throw missingFrom(series, from);
    return found;
  }

  #storedDown(series: Series, segment: number): StoredPosting | undefined {
    const last = this.#lastStored(series);
    const expected = segment >= last ? last : (this.#table.previousUp(series.id, segment + 1) ?? last);
    const found = this.#table.down(series.id, segment);
    const kept = found && found.segment >= this.#floorSegment ? found : undefined;
    const isExpected = expected >= this.#floorSegment;
    if ((kept !== undefined) !== isExpected || (kept && kept.segment !== expected)) throw missingFrom(series, expected);
    return kept;
  }

  /** The segment of the last posting that was written for the series. */
  #lastStored(series: Series): number {
    return series.countedTo === 0 ? NO_SEGMENT : this.#parts.segments.of(series.countedTo);
  }

  #trusting(look: () => Posting | undefined): Posting | undefined {
    try {
      return look();
    } catch (error) {
      if (isSqliteError(error)) this.#distrust(`the index cannot be read: ${error.message}`);
      else if (error instanceof PostingDamage) this.#distrust(error.message);
      else throw error;
      return undefined;
    }
  }

  #distrust(detail: string): void {
    this.#isTrusted = false;
    this.#parts.damage.note(detail);
  }

  #readTail(): void {
    const { bounds, events } = this.#parts;
    for (let first = Math.max(this.#indexedTo + 1, bounds.floor); first <= bounds.head; first += TAIL_PAGE) {
      const last = Math.min(first + TAIL_PAGE - 1, bounds.head);
      for (const [index, series] of events.seriesBetween(first, last).entries()) {
        const id = first + index;
        if (series === undefined) this.#distrust(`event ${id}: ${NOT_INTACT}`);
        else this.#addStored(series, id);
      }
    }
  }

  #addStored(series: Series, id: number): void {
    if (id > series.countedTo) series.count++;
    series.lastId = Math.max(series.lastId, id);
    this.add(series, id);
  }

  /** Ids have no holes, so the counts must add up to what is kept, or a series has been lost. */
  #compareCounts(): void {
    const { bounds, series } = this.#parts;
    let count = 0;
    for (const one of series.all()) count += one.count;
    const kept = bounds.head - bounds.floor + 1;
    if (count < kept) this.#distrust(`of ${kept} events only ${count} are known by topic`);
  }
}

function missingFrom(series: Series, segment: number): PostingDamage {
  return new PostingDamage(`the index of series ${series.id} from segment ${segment} on is damaged or missing`);
}
