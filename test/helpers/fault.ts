import type { Database, Statement } from "bun:sqlite";

const MESSAGES: Readonly<Record<string, string>> = {
  SQLITE_IOERR_FSYNC: "disk I/O error",
  SQLITE_FULL: "database or disk is full",
  SQLITE_CORRUPT: "database disk image is malformed",
};

/** Stands between a log and its connection: counts the commits, and lets statements fail. */
export class FaultyConnection {
  /** Transactions that were committed through it. */
  commits = 0;
  /** How long each commit waits for the disk besides, in milliseconds. */
  commitMs = 0;
  /** Statements that were run through it, but for those that iterate. */
  readonly statements: string[] = [];
  #faults: { readonly sql: string; readonly code: string; readonly skipped: number }[] = [];
  #database: Database | undefined;

  /** What the log is given to connect by. */
  readonly connect = (database: Database): Database => {
    this.#database = database;
    return new Proxy(database, {
      get: (target, name) => (name === "prepare" ? (sql: string) => this.#prepare(sql) : memberOf(target, name)),
    });
  };

  /** The connection itself. */
  get database(): Database {
    if (this.#database === undefined) throw new Error("nothing has connected yet");
    return this.#database;
  }

  /** Lets the next statement that begins so fail, once, with this result code of SQLite; `skip` of them run before. */
  failNext(sql: string, code: string, skip = 0): void {
    this.#faults.push({ sql, code, skipped: skip });
  }

  #prepare(sql: string): Statement {
    return new Proxy(this.database.prepare(sql), {
      get: (target, name) => {
        const member = memberOf(target, name);
        if (name !== "run" && name !== "values" && name !== "get") return member;
        return (...parameters: unknown[]) => {
          this.statements.push(sql);
          this.#failIfTold(sql);
          if (sql === "commit" && this.commitMs > 0) Bun.sleepSync(this.commitMs);
          const result = (member as (...parameters: unknown[]) => unknown)(...parameters);
          if (sql === "commit") this.commits++;
          return result;
        };
      },
    });
  }

  #failIfTold(sql: string): void {
    const index = this.#faults.findIndex((fault) => sql.startsWith(fault.sql));
    const fault = this.#faults[index];
    if (fault === undefined) return;
    if (fault.skipped > 0) {
      this.#faults[index] = { ...fault, skipped: fault.skipped - 1 };
      return;
    }
    this.#faults.splice(index, 1);
    throw Object.assign(new Error(MESSAGES[fault.code] ?? fault.code), { name: "SQLiteError", code: fault.code });
  }
}

function memberOf(target: object, name: string | symbol): unknown {
  const member = Reflect.get(target, name, target);
  return typeof member === "function" ? member.bind(target) : member;
}
