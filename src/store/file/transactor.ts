import type { Database, Statement } from "bun:sqlite";

/** Runs transactions on one connection, one at a time. */
export class Transactor {
  readonly #database: Database;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  /** How long the last COMMIT took, in milliseconds: SQLite waits for the disk in it. */
  commitStatementMs = 0;

  constructor(database: Database) {
    this.#database = database;
    this.#begin = database.prepare("begin immediate");
    this.#commit = database.prepare("commit");
    this.#rollback = database.prepare("rollback");
  }

  /** Commits what `work` writes and answers what it answers, or rolls back and throws what went wrong. */
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

  /** SQLite has often rolled back by itself. When it cannot, the next transaction fails, and says so. */
  #rollBack(): void {
    try {
      if (this.#database.inTransaction) this.#rollback.run();
    } catch {}
  }
}
