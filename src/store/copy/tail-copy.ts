import type { Database } from "bun:sqlite";
import { isIntact } from "../events/event-table.ts";
import { Segments } from "../events/segment.ts";
import { MAX_SERIES_ID, TailTable } from "../events/tail-table.ts";
import { readMeta } from "../file/meta.ts";

interface CopiedEvent {
  readonly id: number;
  readonly series_id: number;
  readonly created_at: number;
  readonly head_checksum: number;
}

/**
 * Makes the blocks of the index for a copy, which ends elsewhere than its original and may have much more that is not in
 * posting. Events that are damaged have no block.
 */
export class TailCopy {
  readonly #table: TailTable;
  readonly #segments: Segments;
  readonly #indexedTo: number;
  #seriesIds: number[] = [];
  #next = 0;

  /** The numbers of the whole must be in the copy already. */
  constructor(target: Database) {
    const meta = readMeta(target);
    this.#table = new TailTable(target);
    this.#segments = new Segments(meta.segment_size);
    this.#indexedTo = meta.indexed_to;
  }

  /** Is shown every event of the copy, in id order; writes a block, in the transaction that is open, when it is complete. */
  see({ id, series_id, created_at, head_checksum }: CopiedEvent): void {
    if (id <= this.#indexedTo || series_id > MAX_SERIES_ID) return;
    if (!isIntact([id, series_id, created_at, head_checksum])) return;
    const first = this.#segments.blockFirst(id);
    if (id === first) this.#seriesIds = [];
    else if (id !== this.#next) return;
    this.#seriesIds.push(series_id);
    this.#next = id + 1;
    if (id === this.#segments.blockLast(id)) this.#table.insert(first, Uint32Array.from(this.#seriesIds));
  }
}
