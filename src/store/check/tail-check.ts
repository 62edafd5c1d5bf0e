import type { Series } from "../events/series.ts";
import { nameOfBlock, TailTable } from "../events/tail-table.ts";
import type { CheckParts, EventWitness } from "./event-check.ts";

interface SoundBlock {
  readonly firstId: number;
  readonly seriesIds: Uint32Array;
}

/** Compares the blocks of the index with the events. One that is missing is no damage. */
export class TailCheck implements Pick<EventWitness, "see"> {
  readonly #parts: CheckParts;
  /** Those that have not been passed, oldest first. */
  readonly #blocks: SoundBlock[] = [];

  /** Throws what SQLite throws when the blocks cannot be read. */
  constructor(parts: CheckParts) {
    this.#parts = parts;
    for (const { firstId, seriesIds } of new TailTable(parts.database).all()) {
      if (seriesIds) this.#blocks.push({ firstId, seriesIds });
      else parts.damage.note(`${nameOfBlock(firstId)}: checksum mismatch`);
    }
  }

  see(series: Series, id: number): void {
    const block = this.#blockAt(id);
    if (block === undefined || id < block.firstId || block.seriesIds[id - block.firstId] === series.id) return;
    this.#parts.damage.note(`${nameOfBlock(block.firstId)}: disagrees with the events`);
  }

  /** The first block that does not end before this id. */
  #blockAt(id: number): SoundBlock | undefined {
    for (let block = this.#blocks[0]; block; block = this.#blocks[0]) {
      if (id < block.firstId + block.seriesIds.length) return block;
      this.#blocks.shift();
    }
    return undefined;
  }
}
