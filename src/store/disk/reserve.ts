import { rmSync, statSync, writeFileSync } from "node:fs";

/**
 * Size of the reserve, in bytes: the write-ahead log of a pruning run until its next checkpoint, which is 2 MiB and a
 * slice, and the pages by which the file grows in that checkpoint.
 */
const RESERVE_BYTES = 3 * 1024 * 1024;

/**
 * A file beside the history that keeps some space on its disk, so that a full disk has room for the pruning that frees
 * space.
 */
export class Reserve {
  readonly #path: string;

  constructor(historyPath: string) {
    this.#path = `${historyPath}-reserve`;
  }

  /** Takes the space, unless it has it already. Without enough space on the disk it takes none. */
  fill(): void {
    if (statSync(this.#path, { throwIfNoEntry: false })?.size === RESERVE_BYTES) return;
    try {
      writeFileSync(this.#path, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 });
    } catch {
      this.release();
    }
  }

  /** Frees the space. Returns whether there was any. */
  release(): boolean {
    const isThere = statSync(this.#path, { throwIfNoEntry: false }) !== undefined;
    rmSync(this.#path, { force: true });
    return isThere;
  }
}
