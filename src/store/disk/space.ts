import type { Database } from "bun:sqlite";
import type { StorageSize } from "../../bus/ports.ts";
import { nextTurn } from "../file/next-turn.ts";
import { paced } from "../file/pace.ts";
import { pragma } from "../file/wal-tie.ts";
import type { Checkpoints } from "./checkpoints.ts";

/**
 * Pages that one slice returns: about a millisecond of work. The checkpoint after several slices writes all pages that
 * they touched.
 */
const MAX_SLICE_PAGES = 64;
const MIN_SLICE_PAGES = 8;
/**
 * Pages after which the file is truncated, 16 MiB: more take the operating system longer, and nothing is served
 * meanwhile.
 */
const MAX_CUT_PAGES = 4096;
/** Free pages that stay in the file for later events: a tenth of it, at least 1 MiB. */
const SPARE_FRACTION = 0.1;
const MIN_SPARE_PAGES = 256;

/** The pages of the file. */
export class Space {
  readonly #database: Database;
  readonly #checkpoints: Checkpoints;
  readonly #pageSize: number;
  #slicePages = MIN_SLICE_PAGES;

  constructor(database: Database, checkpoints: Checkpoints) {
    this.#database = database;
    this.#checkpoints = checkpoints;
    this.#pageSize = Number(pragma(database, "page_size"));
  }

  size(): StorageSize {
    const pages = this.#pages();
    return { usedBytes: (pages - this.#freePages()) * this.#pageSize, fileBytes: pages * this.#pageSize };
  }

  /**
   * Returns free pages to the file system, some in each turn of the loop, except those that are kept for later: with
   * `maxBytes`, at most as many as fit into that size besides what is used. Ends early once `isClosing` returns true,
   * or if the file cannot be written.
   */
  async giveBack(maxBytes: number | undefined, isClosing: () => boolean): Promise<void> {
    let uncut = 0;
    for (let excess = this.#excessPages(maxBytes); excess > 0; excess = this.#excessPages(maxBytes)) {
      const startMs = performance.now();
      const pages = Math.min(excess, this.#slicePages);
      this.#database.run(`pragma incremental_vacuum(${pages})`);
      this.#slicePages = paced(this.#slicePages, performance.now() - startMs, [MIN_SLICE_PAGES, MAX_SLICE_PAGES]);
      uncut += pages;
      await nextTurn();
      if (isClosing()) return;
      if (uncut < MAX_CUT_PAGES && pages < excess) continue;
      // The file shrinks at the checkpoint of the write-ahead log.
      if (this.#checkpoints.run() !== undefined) return;
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
    return Number(pragma(this.#database, "page_count"));
  }

  #freePages(): number {
    return Number(pragma(this.#database, "freelist_count"));
  }
}
