import type { Database, Statement } from "bun:sqlite";
import type { Meter } from "../bus/meter.ts";
import type { Retention, StorageSize } from "../bus/ports.ts";
import type { Bounds } from "./events/bounds.ts";
import { isIntact } from "./events/event-table.ts";
import type { PostingIndex } from "./events/posting.ts";
import type { Segments } from "./events/segment.ts";
import type { Series, SeriesTable } from "./events/series.ts";
import { Meta } from "./file/meta.ts";
import { nextTurn } from "./file/next-turn.ts";
import { pragma } from "./file/sqlite.ts";
import type { Transactor } from "./file/transactor.ts";
import type { HistoryReader } from "./history.ts";

/** What a slice may hold the loop for, in milliseconds: a quarter of the 10 that are promised, as a checkpoint may come with it. */
const SLICE_MS = 2.5;
/** Events in the first slice; the next ones are as large as the last one's time allows, within these bounds. */
const FIRST_SLICE_EVENTS = 200;
const MIN_SLICE_EVENTS = 20;
export const MAX_SLICE_EVENTS = 1000;
/** Bytes of data in one slice, unless its first event alone has more. */
const MAX_SLICE_BYTES = 1024 * 1024;
/** Pages that one slice gives back: about a millisecond of work, but the checkpoint after some of them has all that they touched. */
const MAX_SLICE_PAGES = 64;
const MIN_SLICE_PAGES = 8;
/** Pages after which the file is cut, 16 MiB: the more they are, the longer the operating system takes, and nothing is served meanwhile. */
const MAX_CUT_PAGES = 4096;
/** Free pages that stay in the file for what is published next: a tenth of it, at least 1 MiB. */
const SPARE_FRACTION = 0.1;
const MIN_SPARE_PAGES = 256;

/** What the pruner needs of the log that it works on. */
export interface PrunedLog extends Bounds {
  /** Sets the oldest id that is kept. */
  advanceFloor(floor: number): void;
}

export interface PrunerParts {
  readonly database: Database;
  readonly transactor: Transactor;
  readonly segments: Segments;
  readonly log: PrunedLog;
  readonly series: SeriesTable;
  readonly postings: PostingIndex;
  readonly history: HistoryReader;
  readonly meter: Meter;
}

/** id, series_id, created_at, head_checksum, bytes of the data. */
type SliceRow = [number, number, number, number, number];

interface Slice {
  /** How many rows go. */
  readonly rows: number;
  /** The last id that goes. */
  readonly reached: number;
  /** How many events go, by series, where that is known. */
  readonly removed: ReadonlyMap<Series, number>;
  /** Series that nothing is left of. */
  readonly emptied: readonly Series[];
  /** The time of the last event that goes, if that is known. */
  readonly lastAtMs: number | undefined;
}

/** Removes the oldest events, a slice a turn of the loop, and gives the space back. */
export class Pruner {
  readonly #parts: PrunerParts;
  readonly #meta: Meta;
  readonly #pageSize: number;
  readonly #oldest: Statement;
  readonly #delete: Statement;
  #sliceEvents = FIRST_SLICE_EVENTS;
  #slicePages = MIN_SLICE_PAGES;
  #isFirstSlice = true;

  constructor(parts: PrunerParts) {
    this.#parts = parts;
    this.#meta = new Meta(parts.database);
    this.#pageSize = Number(pragma(parts.database, "page_size"));
    this.#oldest = parts.database.prepare(
      "select id, series_id, created_at, head_checksum, octet_length(data) from event where id <= ? order by id limit ?",
    );
    this.#delete = parts.database.prepare("delete from event where id <= ?");
  }

  /**
   * Removes what the rules no longer keep at `nowMs`; resolves with the number of events removed. Ends early, after a
   * slice, once `isClosing` says so. Rejects with what SQLite threw; what was removed until then stays so.
   */
  async prune(rules: Retention, nowMs: number, isClosing: () => boolean): Promise<number> {
    let pruned = 0;
    // What a crash, or closing, has left of it: a later series may get the number of one that goes now.
    await this.#dropPostings(isClosing);
    const cut = Math.max(this.#cutByCount(rules.maxHistory), this.#cutByAge(rules.maxAgeMs, nowMs));
    while (!isClosing()) {
      const upTo = Math.max(cut, this.#cutBySize(rules.maxBytes));
      if (upTo < this.#parts.log.floor) break;
      const { segments, log } = this.#parts;
      const segment = segments.of(log.floor);
      pruned += this.#pruneSlice(upTo);
      await nextTurn();
      if (segments.of(log.floor) > segment) await this.#dropPostings(isClosing);
    }
    await this.#giveSpaceBack(rules.maxBytes, isClosing);
    return pruned;
  }

  size(): StorageSize {
    const pages = this.#pages();
    const free = this.#freePages();
    return { usedBytes: (pages - free) * this.#pageSize, fileBytes: pages * this.#pageSize };
  }

  #cutByCount(maxHistory: number | undefined): number {
    return maxHistory === undefined ? 0 : this.#parts.log.head - maxHistory;
  }

  #cutByAge(maxAgeMs: number | undefined, nowMs: number): number {
    return maxAgeMs === undefined ? 0 : this.#parts.history.idBefore(nowMs - maxAgeMs);
  }

  /** Half of what seems to be too much, as only the file can tell what an event takes in it; then it is asked again. */
  #cutBySize(maxBytes: number | undefined): number {
    const { floor, head } = this.#parts.log;
    if (maxBytes === undefined || floor > head) return 0;
    const { usedBytes } = this.size();
    if (usedBytes <= maxBytes) return 0;
    const share = Math.ceil(((head - floor + 1) * (usedBytes - maxBytes)) / usedBytes / 2);
    return floor - 1 + Math.min(share, this.#sliceEvents);
  }

  #pruneSlice(upTo: number): number {
    const startMs = performance.now();
    const slice = this.#planSlice(Math.min(upTo, this.#parts.log.head));
    this.#parts.transactor.run(() => this.#writeSlice(slice));
    for (const [series, count] of slice.removed) series.count -= count;
    for (const series of slice.emptied) this.#parts.series.forget(series);
    this.#parts.log.advanceFloor(slice.reached + 1);
    this.#isFirstSlice = false;
    this.#parts.meter.slice(performance.now() - startMs);
    this.#sliceEvents = nextSize(this.#sliceEvents, startMs, [MIN_SLICE_EVENTS, MAX_SLICE_EVENTS]);
    return slice.rows;
  }

  #planSlice(upTo: number): Slice {
    const { rows, reached } = this.#takeRows(upTo);
    const intact = rows.filter(([id, seriesId, atMs, checksum]) => isIntact([id, seriesId, atMs, checksum]));
    const removed = this.#countBySeries(intact);
    // The last event of a series may be one whose row is damaged, or was, when a slice before the file was closed passed it.
    const isThorough = this.#isFirstSlice || intact.length < reached - this.#parts.log.floor + 1;
    const candidates = isThorough ? this.#parts.series.all() : removed.keys();
    const emptied = [...candidates].filter((series) => this.#isEmptiedBy(series, reached));
    return { rows: rows.length, reached, removed, emptied, lastAtMs: intact.at(-1)?.[2] };
  }

  #writeSlice({ reached, emptied, lastAtMs }: Slice): void {
    this.#delete.run(reached);
    for (const series of emptied) {
      this.#parts.postings.delete(series);
      this.#parts.series.delete(series);
    }
    this.#meta.set("pruned_to", reached);
    if (lastAtMs !== undefined) this.#meta.set("pruned_at", lastAtMs);
  }

  /** The oldest rows that fit into a slice, and the id up to which that is everything there is. */
  #takeRows(upTo: number): { rows: SliceRow[]; reached: number } {
    const rows = this.#oldest.values(upTo, this.#sliceEvents) as SliceRow[];
    let bytes = 0;
    let count = 0;
    for (const [, , , , dataBytes] of rows) {
      bytes += dataBytes;
      if (count > 0 && bytes > MAX_SLICE_BYTES) break;
      count++;
    }
    const isLast = count === rows.length && count < this.#sliceEvents;
    const reached = isLast ? upTo : (rows[count - 1]?.[0] ?? upTo);
    // Rows that are missing were damaged: the floor passes them all the same, and rows that stray below it do not move it.
    return { rows: rows.slice(0, count), reached: Math.max(reached, this.#parts.log.floor - 1) };
  }

  #countBySeries(rows: readonly SliceRow[]): Map<Series, number> {
    const counts = new Map<Series, number>();
    for (const [, seriesId] of rows) {
      const series = this.#parts.series.get(seriesId);
      if (series) counts.set(series, (counts.get(series) ?? 0) + 1);
    }
    return counts;
  }

  #isEmptiedBy(series: Series, reached: number): boolean {
    if (series.lastId > reached) return false;
    // Nothing is lost with a series that nobody can read anyway.
    return series.isDamaged || !this.#parts.postings.reachesBeyond(series, reached);
  }

  /** Drops what the floor has left behind in the index. */
  async #dropPostings(isClosing: () => boolean): Promise<void> {
    const { transactor, postings } = this.#parts;
    while (!isClosing() && transactor.run(() => postings.deleteBelowFloor())) await nextTurn();
  }

  async #giveSpaceBack(maxBytes: number | undefined, isClosing: () => boolean): Promise<void> {
    let uncut = 0;
    for (let excess = this.#excessPages(maxBytes); excess > 0; excess = this.#excessPages(maxBytes)) {
      const startMs = performance.now();
      const pages = Math.min(excess, this.#slicePages);
      this.#parts.database.run(`pragma incremental_vacuum(${pages})`);
      this.#slicePages = nextSize(this.#slicePages, startMs, [MIN_SLICE_PAGES, MAX_SLICE_PAGES]);
      uncut += pages;
      await nextTurn();
      if (isClosing()) return;
      if (uncut < MAX_CUT_PAGES && pages < excess) continue;
      // The file shrinks when what the write-ahead log says of it is carried out.
      this.#parts.database.run("pragma wal_checkpoint(passive)");
      uncut = 0;
    }
  }

  #excessPages(maxBytes: number | undefined): number {
    const free = this.#freePages();
    const used = this.#pages() - free;
    const spare = Math.max(MIN_SPARE_PAGES, Math.floor(used * SPARE_FRACTION));
    const allowed = maxBytes === undefined ? spare : Math.floor(maxBytes / this.#pageSize) - used;
    return free - Math.min(spare, Math.max(allowed, 0));
  }

  #pages(): number {
    return Number(pragma(this.#parts.database, "page_count"));
  }

  #freePages(): number {
    return Number(pragma(this.#parts.database, "freelist_count"));
  }
}

/** As much as would have taken `SLICE_MS`, but no more than twice as much, within the bounds. */
function nextSize(size: number, startMs: number, [low, high]: readonly [number, number]): number {
  const tookMs = Math.max(performance.now() - startMs, 0.01);
  return Math.min(Math.max(Math.floor(size * Math.min(SLICE_MS / tookMs, 2)), low), high);
}
