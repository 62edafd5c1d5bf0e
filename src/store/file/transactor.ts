import type { Database, Statement } from "bun:sqlite";

/** Runs transactions on one connection, one at a time. */
export class Transactor {
  readonly #database: Database;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  /** Duration of the last COMMIT, in milliseconds, in which SQLite waits for the disk. */
  commitStatementMs = 0;

  constructor(database: Database) {
    this.#database = database;
    this.#begin = database.prepare("begin immediate");
    this.#commit = database.prepare("commit");
    this.#rollback = database.prepare("rollback");
  }

  /** Commits what `work` writes and returns its result; on an error, rolls back and throws it. */
  run<T>(work: () => T): T {
    try {
      this.#begin.run();
      const result = work();
      const startMs = performance.now();
      this.#commit.run();
      this.commitStatementMs = performance.now() - startMs;
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** SQLite has often rolled back by itself. If it cannot, the next transaction fails and reports it. */
  #rollBack(): void {
    try {
      if (this.#database.inTransaction) this.#rollback.run();
    } catch {}
  }
}
