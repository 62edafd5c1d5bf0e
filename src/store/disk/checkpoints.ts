import type { Database, Statement } from "bun:sqlite";
import { CHECKPOINT_PAGES } from "../file/sqlite.ts";

/**
 * Size of the write-ahead log that is an alarm, in bytes. A single commit has up to some ten megabytes, and the log is
 * emptied after every two megabytes.
 */
const MAX_WAL_BYTES = 64 * 1024 * 1024;

/**
 * Checkpoints of the write-ahead log that report their failure. SQLite's own, in the commits, are silent: the commit
 * has succeeded, and its events stay in the log.
 */
export class Checkpoints {
  readonly #database: Database;
  readonly #passive: Statement;
  readonly #walBytes: () => number;
  #isFailing = false;

  constructor(database: Database, walBytes: () => number) {
    this.#database = database;
    this.#passive = database.prepare("pragma wal_checkpoint(passive)");
    this.#walBytes = walBytes;
  }

  /**
   * Writes the commits in the log to the file. Returns why it could not, or that the log is too large; undefined if all
   * is well. MUST NOT be called in a transaction.
   */
  run(): string | undefined {
    try {
      this.#passive.values();
      this.#commitsCheckpoint(true);
    } catch (error) {
      this.#commitsCheckpoint(false);
      return `the history file cannot be written (${(error as Error).message}): new events stay in its write-ahead log`;
    }
    return this.tooLarge;
  }

  /** A message that the log is too large; undefined if it is not. */
  get tooLarge(): string | undefined {
    const bytes = this.#walBytes();
    if (bytes <= MAX_WAL_BYTES) return undefined;
    return `the write-ahead log of the history has ${bytes} bytes, and cannot be emptied`;
  }

  /** Turned off while checkpoints fail, as each commit would try to write the whole log again. */
  #commitsCheckpoint(isOn: boolean): void {
    if (this.#isFailing !== isOn) return;
    this.#isFailing = !isOn;
    this.#database.run(`pragma wal_autocheckpoint = ${isOn ? CHECKPOINT_PAGES : 0}`);
  }
}
