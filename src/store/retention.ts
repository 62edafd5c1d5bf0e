import type { Database, Statement } from "bun:sqlite";
import type { Retention, StorageSize } from "../bus/ports.ts";
import type { HistoryReader } from "./history.ts";
import type { PostingIndex } from "./posting.ts";
import { segmentOf } from "./segment.ts";
import type { Series, SeriesTable } from "./series.ts";
import { pragma } from "./sqlite.ts";

/** What a slice of pruning may hold the loop for, in milliseconds: under half of the 10 that are promised. */
const SLICE_MS = 4;
/** Events in the first slice; the next ones are as large as the last one's time allows. */
const FIRST_SLICE = 200;
const MAX_SLICE = 5000;
/** Free pages that stay in the file for what is published next: a tenth of it, at least 1 MiB. */
const SPARE_FRACTION = 0.1;
const MIN_SPARE_PAGES = 256;
/** Series whose postings one slice drops. */
const POSTING_SLICE = 128;

/** What the pruner needs of the log that it works on. */
export interface PrunedLog {
  readonly floor: number;
  readonly head: number;
  /** Sets the oldest id that is kept, and forgets the events below it. */
  advanceFloor(floor: number): void;
}

/** Removes the oldest events, a slice a turn of the loop, and gives the space back. */
export class Pruner {
  readonly #database: Database;
  readonly #log: PrunedLog;
  readonly #series: SeriesTable;
  readonly #postings: PostingIndex;
  readonly #history: HistoryReader;
  readonly #slice: Statement;
  readonly #delete: Statement;
  readonly #uncount: Statement;
  readonly #deleteSeries: Statement;
  readonly #setMeta: Statement;
  #sliceEvents = FIRST_SLICE;
  #vacuumPages = 64;

  constructor(
    database: Database,
    log: PrunedLog,
    parts: { series: SeriesTable; postings: PostingIndex; history: HistoryReader },
  ) {
    this.#database = database;
    this.#log = log;
    this.#series = parts.series;
    this.#postings = parts.postings;
    this.#history = parts.history;
    this.#slice = database.prepare("select id, series_id, created_at from event where id <= ? order by id limit ?");
    this.#delete = database.prepare("delete from event where id <= ?");
    this.#uncount = database.prepare("update series set count = count - ? where id = ?");
    this.#deleteSeries = database.prepare("delete from series where id = ?");
    this.#setMeta = database.prepare("update meta set value = ? where name = ?");
  }

  /** Removes what the rules no longer keep at `nowMs`; resolves with the number of events removed. */
  async prune(rules: Retention, nowMs: number, isClosed: () => boolean): Promise<number> {
    const firstSegment = segmentOf(this.#log.floor);
    let pruned = 0;
    const cut = Math.max(this.#cutByCount(rules.maxHistory), this.#cutByAge(rules.maxAgeMs, nowMs));
    while (!isClosed()) {
      const upTo = Math.max(cut, this.#cutBySize(rules.maxBytes));
      if (upTo < this.#log.floor) break;
      pruned += this.#pruneSlice(upTo);
      await nextTurn();
    }
    if (segmentOf(this.#log.floor) > firstSegment) await this.#dropPostings(isClosed);
    await this.#giveSpaceBack(isClosed);
    return pruned;
  }

  size(): StorageSize {
    const pageSize = Number(pragma(this.#database, "page_size"));
    const pages = Number(pragma(this.#database, "page_count"));
    const free = Number(pragma(this.#database, "freelist_count"));
    return { usedBytes: (pages - free) * pageSize, fileBytes: pages * pageSize };
  }

  #cutByCount(maxHistory: number | undefined): number {
    return maxHistory === undefined ? 0 : this.#log.head - maxHistory;
  }

  #cutByAge(maxAgeMs: number | undefined, nowMs: number): number {
    return maxAgeMs === undefined ? 0 : this.#history.idBefore(nowMs - maxAgeMs);
  }

  /** One slice more while the file is too large, as only the file can tell what an event takes in it. */
  #cutBySize(maxBytes: number | undefined): number {
    if (maxBytes === undefined || this.#log.floor > this.#log.head) return 0;
    const excess = this.size().usedBytes - maxBytes;
    if (excess <= 0) return 0;
    const kept = this.#log.head - this.#log.floor + 1;
    const share = Math.ceil((kept * excess) / this.size().usedBytes / 2);
    return this.#log.floor - 1 + Math.min(share, this.#sliceEvents);
  }

  #pruneSlice(upTo: number): number {
    const startMs = performance.now();
    const rows = this.#slice.values(upTo, this.#sliceEvents) as [number, number, number][];
    const last = rows.at(-1);
    // Rows that are missing were damaged; the floor passes them all the same.
    const [lastId, , lastAtMs] = last ?? [upTo, 0, 0];
    const reached = rows.length < this.#sliceEvents ? upTo : lastId;
    const removed = countBySeries(rows);
    const emptied: Series[] = [];
    this.#database.transaction(() => {
      this.#delete.run(reached);
      for (const [seriesId, ids] of removed) this.#uncountSeries(seriesId, ids, emptied);
      this.#setMeta.run(reached, "pruned_to");
      if (last) this.#setMeta.run(lastAtMs, "pruned_at");
    })();
    for (const [seriesId, ids] of removed) {
      const series = this.#series.get(seriesId);
      if (series) series.count -= ids.length;
    }
    for (const series of emptied) this.#series.forget(series);
    this.#log.advanceFloor(reached + 1);
    const tookMs = Math.max(performance.now() - startMs, 0.01);
    this.#sliceEvents = clamp(Math.floor((this.#sliceEvents * SLICE_MS) / tookMs), FIRST_SLICE / 10, MAX_SLICE);
    return rows.length;
  }

  #uncountSeries(seriesId: number, ids: readonly number[], emptied: Series[]): void {
    const series = this.#series.get(seriesId);
    if (series === undefined) return;
    if (series.count === ids.length) {
      this.#postings.deleteBelow(series, Number.POSITIVE_INFINITY);
      this.#deleteSeries.run(seriesId);
      emptied.push(series);
      return;
    }
    const counted = ids.filter((id) => id <= series.countedTo).length;
    if (counted > 0) this.#uncount.run(counted, seriesId);
  }

  async #dropPostings(isClosed: () => boolean): Promise<void> {
    const all = [...this.#series.all()];
    for (let start = 0; start < all.length && !isClosed(); start += POSTING_SLICE) {
      this.#database.transaction(() => {
        for (const series of all.slice(start, start + POSTING_SLICE)) {
          this.#postings.deleteBelow(series, this.#log.floor);
        }
      })();
      await nextTurn();
    }
  }

  async #giveSpaceBack(isClosed: () => boolean): Promise<void> {
    while (!isClosed()) {
      const free = Number(pragma(this.#database, "freelist_count"));
      const pages = Number(pragma(this.#database, "page_count"));
      const excess = free - Math.max(MIN_SPARE_PAGES, Math.floor((pages - free) * SPARE_FRACTION));
      if (excess <= 0) return;
      const startMs = performance.now();
      this.#database.run(`pragma incremental_vacuum(${Math.min(excess, this.#vacuumPages)})`);
      const tookMs = Math.max(performance.now() - startMs, 0.01);
      this.#vacuumPages = clamp(Math.floor((this.#vacuumPages * SLICE_MS) / tookMs), 8, 4096);
      await nextTurn();
    }
  }
}

function countBySeries(rows: readonly [number, number, number][]): Map<number, number[]> {
  const ids = new Map<number, number[]>();
  for (const [id, seriesId] of rows) {
    const known = ids.get(seriesId);
    if (known) known.push(id);
    else ids.set(seriesId, [id]);
  }
  return ids;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
