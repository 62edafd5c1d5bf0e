import type { Database } from "bun:sqlite";
import type { Damage } from "../file/damage.ts";
import { Meta } from "../file/meta.ts";
import { nextTurn } from "../file/next-turn.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import type { Transactor } from "../file/transactor.ts";
import type { Bounds } from "./bounds.ts";
import { type EventTable, NOT_INTACT } from "./event-table.ts";
import { NO_SEGMENT, type Posting, PostingDamage, PostingTable, type StoredPosting } from "./posting-table.ts";
import type { Segments } from "./segment.ts";
import type { Series, SeriesTable } from "./series.ts";
import { leaveOutRemoved } from "./stored-counts.ts";
import { Tail } from "./tail.ts";
import { TailBlocks } from "./tail-blocks.ts";

/** Postings written in one transaction unless a test says otherwise: about a millisecond of work. */
export const SEAL_SLICE = 64;
/** Between two slices, this many times its length goes to everything else, or a publisher would meet one in each turn. */
const REST_FACTOR = 3;
/** Postings that are written for each one that the events which came meanwhile will need: sealing catches up, however fast they come. */
const HURRY_FACTOR = 1.5;

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
 * history is opened, the unfinished part is read from blocks that were written with the
 * events, and from the events where there is no block.
 */
export class PostingIndex {
  readonly #parts: PostingIndexParts;
  readonly #table: PostingTable;
  readonly #meta: Meta;
  readonly #tail: Tail;
  readonly #blocks: TailBlocks;
  #indexedTo: number;
  #isTrusted = true;
  #isStopped = false;
  #sealing: Promise<void> | undefined;

  constructor(parts: PostingIndexParts, indexedTo: number) {
    this.#parts = parts;
    this.#table = new PostingTable(parts.database);
    this.#meta = new Meta(parts.database);
    this.#indexedTo = indexedTo;
    this.#tail = new Tail(parts.segments, Math.max(indexedTo + 1, parts.bounds.floor));
    this.#blocks = new TailBlocks(parts, this.#tail);
    if (parts.series.hasDamaged) this.#isTrusted = false;
    this.#unincludeRemoved();
    for (const id of this.#blocks.read()) this.#distrust(`event ${id}: ${NOT_INTACT}`);
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

  /** Writes what makes opening fast with the next events, of these series, in the transaction that writes those. */
  writeBlocks(series: readonly Series[]): void {
    this.#blocks.write(series);
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

  /** Drops a slice of the postings that lie wholly below the floor, in the transaction that is open. False when none were left. */
  deleteBelowFloor(): boolean {
    const dropped = this.#table.deleteBelow(this.#floorSegment);
    for (const [seriesId, ids] of dropped) this.#parts.series.uncount(seriesId, ids);
    return dropped.length > 0;
  }

  /** Drops every posting of a series that does not lie wholly below the floor, in the transaction that is open. */
  delete(series: Series): void {
    const { segments, bounds } = this.#parts;
    const last = Math.min(this.#lastStored(series), segments.of(bounds.head));
    for (let segment = this.#floorSegment; segment <= last; segment++) this.#table.delete(series.id, segment);
  }

  /** True when something is to be written and nobody writes it: a segment that is full, or blocks that are missing. */
  get needsSeal(): boolean {
    return this.#sealing === undefined && (this.#isSegmentFull || this.#blocks.isLacking);
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
    while (this.#isSegmentFull && !this.#isStopped)
      await this.#sealSegment(this.#parts.segments.of(this.#indexedTo + 1));
    while (this.#blocks.isLacking) {
      await nextTurn();
      if (this.#isStopped) return;
      this.#blocks.writeLacking((write) => this.#parts.transactor.run(write));
    }
  }

  async #sealSegment(segment: number): Promise<void> {
    const { segments, transactor, bounds } = this.#parts;
    const series = this.#tail.seriesIn(segment);
    let [start, restMs] = [0, 0];
    while (start < series.length) {
      const headBefore = bounds.head;
      await (restMs === 0 ? nextTurn() : Bun.sleep(restMs));
      if (this.#isStopped) return;
      const came = bounds.head - headBefore;
      const due = Math.ceil((HURRY_FACTOR * came * series.length) / segments.size);
      const isBehind = due > this.#parts.sealSlice;
      const end = start + Math.max(due, this.#parts.sealSlice);
      const startMs = performance.now();
      this.#sealSlice(segment, series.slice(start, end));
      restMs = isBehind ? 0 : (performance.now() - startMs) * REST_FACTOR;
      start = end;
    }
    await nextTurn();
    if (this.#isStopped) return;
    const indexedTo = segments.lastOf(segment);
    transactor.run(() => {
      this.#blocks.deleteUpTo(indexedTo);
      this.#meta.set("indexed_to", indexedTo);
      this.#meta.set("head", bounds.head);
    });
    this.#indexedTo = indexedTo;
    this.#blocks.drop(indexedTo);
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

  #sealOne(segment: number, series: Series, offsets: readonly number[], lastId: number): void {
    const { segments } = this.#parts;
    const isKept = segment >= this.#floorSegment;
    if (isKept) {
      const previous = series.countedTo === 0 ? NO_SEGMENT : segments.of(series.countedTo);
      this.#table.insert(series.id, segment, previous, offsets);
    }
    this.#parts.series.countUpTo(series, lastId, isKept ? offsets.length : 0);
  }

  #storedUp(series: Series, segment: number): StoredPosting | undefined {
    const from = Math.max(segment, this.#floorSegment);
    if (this.#lastStored(series) < from) return undefined;
    const found = this.#firstFrom(series, from);
    if (found === undefined || found.previous >= from) throw missingFrom(series, from);
    return found;
  }

  /**
   * Looked for from both ends at once: segment by segment upwards, which finds a series that has many postings, and from
   * the last one down along what each names as the one before it, which finds a series that has few.
   */
  #firstFrom(series: Series, from: number): StoredPosting | undefined {
    let above = this.#lastStored(series);
    for (let below = from; below < above; below++) {
      const found = this.#table.get(series.id, below);
      if (found) return found;
      const previous = this.#table.previous(series.id, above) ?? NO_SEGMENT;
      if (previous < from) break;
      above = previous;
    }
    return this.#table.get(series.id, above);
  }

  #storedDown(series: Series, segment: number): StoredPosting | undefined {
    const last = this.#lastStored(series);
    const expected = segment >= last ? last : (this.#storedUp(series, segment + 1)?.previous ?? NO_SEGMENT);
    if (expected < this.#floorSegment) return undefined;
    const found = this.#table.get(series.id, expected);
    if (found === undefined) throw missingFrom(series, expected);
    return found;
  }

  /** The segment of the last posting that was written for the series. */
  #lastStored(series: Series): number {
    return series.countedTo === 0 ? NO_SEGMENT : this.#parts.segments.of(series.countedTo);
  }

  #trusting<T>(look: () => T): T | undefined {
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

  #unincludeRemoved(): void {
    this.#trusting(() => leaveOutRemoved(this.#parts, this.#parts.bounds.floor, (detail) => this.#distrust(detail)));
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
