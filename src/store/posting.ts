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
import { Tail } from "./tail.ts";
import { type Block, MAX_SERIES_ID, nameOfBlock, TailTable } from "./tail-table.ts";
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
 * Publishing must only ever append, or random index pages cost more than the events: so whose the events of the newest,
 * unfinished segments are is kept in memory, and a segment that is full is written at once, sorted by series. When the
 * history is opened, the unfinished part, at most two segments, is read from blocks that were written with the events,
 * and from the events where there is no block.
 */
export class PostingIndex {
  readonly #parts: PostingIndexParts;
  readonly #table: PostingTable;
  readonly #blocks: TailTable;
  readonly #meta: Meta;
  readonly #tail: Tail;
  /** The first ids of blocks that the file lacks. */
  readonly #missingBlocks = new Set<number>();
  #indexedTo: number;
  #isTrusted = true;
  #isStopped = false;
  #sealing: Promise<void> | undefined;

  constructor(parts: PostingIndexParts, indexedTo: number) {
    this.#parts = parts;
    this.#table = new PostingTable(parts.database);
    this.#blocks = new TailTable(parts.database);
    this.#meta = new Meta(parts.database);
    this.#indexedTo = indexedTo;
    this.#tail = new Tail(parts.segments, Math.max(indexedTo + 1, parts.bounds.floor));
    if (parts.series.hasDamaged) this.#isTrusted = false;
    this.#readTail();
    this.#compareCounts();
  }

  /** False once something was found that can make the index miss an event. It stays so until the file is opened anew. */
  get isTrusted(): boolean {
    return this.#isTrusted;
  }

  /** Notes the events that were committed next, of these series. */
  addAll(series: readonly Series[]): void {
    this.#tail.addAll(series);
  }

  /** Writes the blocks that the next events, of these series, complete, in the transaction that is open and writes them. */
  writeBlocks(series: readonly Series[]): void {
    const { segments } = this.#parts;
    const { next } = this.#tail;
    const end = next + series.length;
    for (let last = segments.blockLast(next); last < end; last = segments.blockLast(last + 1)) {
      this.#writeBlock(last, (id) => (id < next ? this.#tail.at(id) : series[id - next]));
    }
  }

  /** The first posting of the series in `segment` or above it. Undefined, too, when the index is not to be trusted. */
  up(series: Series, segment: number): Posting | undefined {
    return this.#trusting(
      () => this.#storedUp(series, segment) ?? this.#tail.postings(series).find((one) => one.segment >= segment),
    );
  }

  /** The last posting of the series in `segment` or below it. Undefined, too, when the index is not to be trusted. */
  down(series: Series, segment: number): Posting | undefined {
    return this.#trusting(
      () => this.#tail.postings(series).findLast((one) => one.segment <= segment) ?? this.#storedDown(series, segment),
    );
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

  /** True when something is to be written and nobody writes it: a segment that is full, or blocks that are missing. */
  get needsSeal(): boolean {
    return this.#sealing === undefined && (this.#isSegmentFull || this.#missingBlocks.size > 0);
  }

  /**
   * Writes the segments that are full, and then the blocks that are missing, a slice a turn of the loop. Rejects with what
   * SQLite threw; may be called again.
   */
  seal(): Promise<void> {
    this.#sealing ??= this.#sealAll().finally(() => {
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

  async #sealAll(): Promise<void> {
    while (this.#isSegmentFull && !this.#isStopped) await this.#sealSegment(this.#parts.segments.of(this.#indexedTo + 1));
    for (const first of this.#missingBlocks) {
      await nextTurn();
      if (this.#isStopped) return;
      this.#parts.transactor.run(() => this.#writeBlock(this.#parts.segments.blockLast(first), (id) => this.#tail.at(id)));
      this.#missingBlocks.delete(first);
    }
  }

  async #sealSegment(segment: number): Promise<void> {
    const { segments, transactor, bounds, sealSlice } = this.#parts;
    const series = this.#tail.seriesIn(segment);
    for (let start = 0; start < series.length; start += sealSlice) {
      await nextTurn();
      if (this.#isStopped) return;
      this.#sealSlice(segment, series.slice(start, start + sealSlice));
    }
    const indexedTo = segments.lastOf(segment);
    transactor.run(() => {
      this.#blocks.deleteUpTo(indexedTo);
      this.#meta.set("indexed_to", indexedTo);
      this.#meta.set("head", bounds.head);
    });
    this.#indexedTo = indexedTo;
    this.#tail.drop(indexedTo);
    for (const first of this.#missingBlocks) if (first <= indexedTo) this.#missingBlocks.delete(first);
  }

  #sealSlice(segment: number, slice: readonly Series[]): void {
    const { segments, series, transactor } = this.#parts;
    const postings = slice.map((one) => [one, this.#tail.offsetsIn(one, segment)] as const);
    const lastIdOf = (offsets: readonly number[]) => segments.idAt(segment, offsets.at(-1) ?? 0);
    // A seal that was cut short is done again: the series that it reached are counted already.
    const open = postings.filter(([one, offsets]) => one.countedTo < lastIdOf(offsets) && series.get(one.id) === one);
    transactor.run(() => {
      for (const [one, offsets] of open) this.#sealOne(segment, one, offsets, lastIdOf(offsets));
    });
    for (const [one, offsets] of open) one.countedTo = lastIdOf(offsets);
  }

  /** Writes the block that ends with this id, unless nobody can tell whose all of its events are. */
  #writeBlock(last: number, seriesAt: (id: number) => Series | undefined): void {
    const first = this.#parts.segments.blockFirst(last);
    const seriesIds = new Uint32Array(last - first + 1);
    for (let id = first; id <= last; id++) {
      const series = seriesAt(id);
      if (series === undefined || series.id > MAX_SERIES_ID) return;
      seriesIds[id - first] = series.id;
    }
    this.#blocks.insert(first, seriesIds);
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
    for (const block of this.#storedBlocks()) {
      const fault = this.#addBlock(block);
      if (fault !== undefined) this.#parts.damage.note(`${nameOfBlock(block.firstId)}: ${fault}`);
    }
    this.#readEvents(this.#parts.bounds.head);
  }

  #storedBlocks(): Block[] {
    try {
      return this.#blocks.all();
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      this.#parts.damage.note(`the blocks of the index cannot be read: ${error.message}`);
      return [];
    }
  }

  /** Adds what is kept of a block, and the events before it. Answers what is wrong with one that is not added. */
  #addBlock({ firstId, seriesIds }: Block): string | undefined {
    if (seriesIds === undefined) return "checksum mismatch";
    const { bounds, series } = this.#parts;
    const first = Math.max(firstId, this.#tail.next);
    const end = Math.min(firstId + seriesIds.length, bounds.head + 1);
    if (first >= end) return undefined;
    const kept = seriesIds.subarray(first - firstId, end - firstId);
    const found: Series[] = [];
    for (let index = 0; index < kept.length; index++) {
      const one = series.get(kept[index] ?? 0);
      if (one === undefined) return "of a series that is missing";
      found.push(one);
    }
    this.#readEvents(first - 1);
    this.#addStored(found);
    return undefined;
  }

  /** Reads whose the events up to `last` are from the events themselves. */
  #readEvents(last: number): void {
    const { events, segments } = this.#parts;
    const { next } = this.#tail;
    while (this.#tail.next <= last) {
      const first = this.#tail.next;
      const found = events.seriesBetween(first, Math.min(first + TAIL_PAGE - 1, last));
      for (const [index, series] of found.entries()) {
        if (series === undefined) this.#distrust(`event ${first + index}: ${NOT_INTACT}`);
      }
      this.#addStored(found);
    }
    for (let id = next; segments.blockLast(id) <= last; id = segments.blockLast(id) + 1) {
      if (segments.blockFirst(id) >= next) this.#missingBlocks.add(id);
    }
  }

  #addStored(found: readonly (Series | undefined)[]): void {
    let id = this.#tail.next;
    this.#tail.addAll(found);
    for (const series of found) {
      if (series && id > series.countedTo) series.count++;
      if (series && id > series.lastId) series.lastId = id;
      id++;
    }
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
