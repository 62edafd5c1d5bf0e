import type { Database } from "bun:sqlite";
import type { Damage } from "../file/damage.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import type { Bounds } from "./bounds.ts";
import type { EventTable } from "./event-table.ts";
import type { Segments } from "./segment.ts";
import type { Series, SeriesTable } from "./series.ts";
import type { Tail } from "./tail.ts";
import { type Block, MAX_SERIES_ID, nameOfBlock, TailTable } from "./tail-table.ts";

/** Events read at a time when the history is opened. */
const PAGE_EVENTS = 8192;

export interface TailBlocksParts {
  readonly database: Database;
  readonly segments: Segments;
  readonly bounds: Bounds;
  readonly series: SeriesTable;
  readonly events: EventTable;
  readonly damage: Damage;
}

/** Brings the tail into the file, in blocks, and out of it again. */
export class TailBlocks {
  readonly #parts: TailBlocksParts;
  readonly #tail: Tail;
  readonly #table: TailTable;
  /** The first ids of blocks that the file lacks. */
  readonly #missing = new Set<number>();

  constructor(parts: TailBlocksParts, tail: Tail) {
    this.#parts = parts;
    this.#tail = tail;
    this.#table = new TailTable(parts.database);
  }

  /** Blocks that the file should have were not there, or damaged, when it was read. */
  get isLacking(): boolean {
    return this.#missing.size > 0;
  }

  /**
   * Fills the tail, and counts what it adds: from the blocks, and where none is intact from the events. Answers the ids of
   * which nobody can tell whose they are.
   */
  read(): number[] {
    const unknown: number[] = [];
    for (const block of this.#stored()) {
      const fault = this.#addBlock(block, unknown);
      if (fault !== undefined) this.#parts.damage.note(`${nameOfBlock(block.firstId)}: ${fault}`);
    }
    this.#readEvents(this.#parts.bounds.head, unknown);
    return unknown;
  }

  /** Writes the blocks that the next events, of these series, complete, in the transaction that writes those. */
  write(series: readonly Series[]): void {
    const { segments } = this.#parts;
    const { next } = this.#tail;
    const end = next + series.length;
    for (let last = segments.blockLast(next); last < end; last = segments.blockLast(last + 1)) {
      this.#writeOne(last, (id) => (id < next ? this.#tail.at(id) : series[id - next]));
    }
  }

  /** Writes one of the blocks that the file lacks, by `run`, which is given what writes it. */
  writeLacking(run: (write: () => void) => void): void {
    for (const first of this.#missing) {
      run(() => this.#writeOne(this.#parts.segments.blockLast(first), (id) => this.#tail.at(id)));
      this.#missing.delete(first);
      return;
    }
  }

  /** Drops the blocks up to an id, in the transaction that is open. */
  deleteUpTo(id: number): void {
    this.#table.deleteUpTo(id);
  }

  /** Forgets the tail up to an id. */
  drop(last: number): void {
    this.#tail.drop(last);
    for (const first of this.#missing) if (first <= last) this.#missing.delete(first);
  }

  #stored(): Block[] {
    try {
      return this.#table.all();
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      this.#parts.damage.note(`the blocks of the index cannot be read: ${error.message}`);
      return [];
    }
  }

  /** Adds what is kept of a block, and the events before it. Answers what is wrong with one that is not added. */
  #addBlock({ firstId, seriesIds }: Block, unknown: number[]): string | undefined {
    if (seriesIds === undefined) return "checksum mismatch";
    const first = Math.max(firstId, this.#tail.next);
    const end = Math.min(firstId + seriesIds.length, this.#parts.bounds.head + 1);
    if (first >= end) return undefined;
    const found: Series[] = [];
    // Loops by index, here and in `#add`, are the faster ones while the engine has compiled nothing yet.
    for (let index = first - firstId; index < end - firstId; index++) {
      const series = this.#parts.series.get(seriesIds[index] ?? 0);
      if (series === undefined) return "of a series that is missing";
      found.push(series);
    }
    this.#readEvents(first - 1, unknown);
    this.#add(found);
    return undefined;
  }

  /** Reads whose the events up to `last` are from the events themselves. */
  #readEvents(last: number, unknown: number[]): void {
    const { events, segments } = this.#parts;
    for (let id = this.#tail.next; segments.blockLast(id) <= last; id = segments.blockLast(id) + 1) {
      if (segments.blockFirst(id) === id) this.#missing.add(id);
    }
    for (let first = this.#tail.next; first <= last; first = this.#tail.next) {
      const found = events.seriesBetween(first, Math.min(first + PAGE_EVENTS - 1, last));
      for (const [index, series] of found.entries()) if (series === undefined) unknown.push(first + index);
      this.#add(found);
    }
  }

  #add(found: readonly (Series | undefined)[]): void {
    const { next } = this.#tail;
    this.#tail.addAll(found);
    for (let index = 0; index < found.length; index++) {
      const series = found[index];
      if (series === undefined) continue;
      if (next + index > series.countedTo) series.count++;
      if (next + index > series.lastId) series.lastId = next + index;
    }
  }

  /** Writes the block that ends with this id, unless nobody can tell whose all of its events are. */
  #writeOne(last: number, seriesAt: (id: number) => Series | undefined): void {
    const first = this.#parts.segments.blockFirst(last);
    const seriesIds = new Uint32Array(last - first + 1);
    for (let id = first; id <= last; id++) {
      const series = seriesAt(id);
      if (series === undefined || series.id > MAX_SERIES_ID) return;
      seriesIds[id - first] = series.id;
    }
    this.#table.insert(first, seriesIds);
  }
}
