import type { EventLog } from "../../src/bus/ports.ts";
import { type LogInternals, SqliteEventLog, type SqliteEventLogOptions } from "../../src/store/event-log.ts";
import { FaultyConnection } from "../helpers/fault.ts";
import { MemoryEventLog } from "../helpers/memory-log.ts";
import { TempFolder } from "../helpers/temp.ts";
import type { LogUnderTest } from "./bench.ts";
import { describeEventLog } from "./event-log.contract.ts";

describeEventLog("an array", (clock) => {
  const log = new MemoryEventLog(clock);
  return { log, [Symbol.asyncDispose]: () => log.close() };
});

/** Searches never run out of time, so that the size of a page does not depend on the machine. */
const searchClock = () => 0;

describeEventLog("SQLite", (clock) => new SqliteUnderTest({ clock }));

describeEventLog("SQLite in memory", (clock) => {
  const log = new SqliteEventLog(":memory:", { clock }, { searchClock });
  return { log, [Symbol.asyncDispose]: () => log.close() };
});

// So small that ends are written all the time, and that most of what is asked for has to be read from the file.
for (const small of [1, 4]) {
  const internals = { endsInterval: 4 * small, cachedSeries: small, recentEvents: small };
  describeEventLog(`SQLite with ${small} series in memory`, (clock) => new SqliteUnderTest({ clock }, internals));
}

/** Statements at which a full disk can show, those of pruning and of the ends of series among them. */
const writes = [
  "commit",
  "insert into event",
  "insert into series",
  "insert or replace into series_end",
  "delete from series_end",
  "delete from series where",
  "update meta",
  "delete from event",
];

class SqliteUnderTest implements LogUnderTest {
  readonly #folder = new TempFolder();
  readonly #options: SqliteEventLogOptions;
  readonly #internals: LogInternals;
  readonly #opened: EventLog[] = [];
  #connection = new FaultyConnection();
  #path = this.#folder.file();

  constructor(options: SqliteEventLogOptions, internals: LogInternals = {}) {
    this.#options = { durability: "os", ...options };
    this.#internals = { searchClock, ...internals };
    this.#open();
  }

  get log(): EventLog {
    const log = this.#opened.at(-1);
    if (log === undefined) throw new Error("no log is open");
    return log;
  }

  async reopen(): Promise<EventLog> {
    await this.log.close();
    return this.#open();
  }

  async crash(): Promise<EventLog> {
    this.#path = this.#folder.copyDatabase(this.#path, `copy-${this.#opened.length}.db`);
    return this.#open();
  }

  fillDisk(number: number): void {
    const write = writes[number % writes.length] ?? "commit";
    this.#connection.failNext(write, "SQLITE_FULL", Math.floor(number / writes.length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((log) => log.close()));
    this.#folder[Symbol.dispose]();
  }

  #open(): EventLog {
    this.#connection = new FaultyConnection();
    const internals = { ...this.#internals, connect: this.#connection.connect };
    const log = new SqliteEventLog(this.#path, this.#options, internals);
    this.#opened.push(log);
    return log;
  }
}
