// Loaded before the server by a harness that must notice it: makes the program cheat as FAULTS_CHEAT says.
import { Database } from "bun:sqlite";
import { openSync } from "node:fs";
import { Bus } from "../../../src/bus/bus.ts";
import { Cohort } from "../../../src/bus/delivery/cohort.ts";
import type { Interest } from "../../../src/bus/interest/interest.ts";
import { Members } from "../../../src/http/request/members.ts";
import { type Parameters, Query } from "../../../src/http/request/query.ts";
import { CHEATS, type Cheat } from "./server.ts";

type Run = (...parameters: unknown[]) => unknown;

const LEAKED_BYTES = 512 * 1024;
const COMMITS_A_LEAK = 10;
/** Processor time far beyond what any input takes, in microseconds, on a machine of any speed. */
const SLOW_US = 50_000;
const BACKTRACKING_US = 2_000_000;
/** In the query of one request: more than patterns of people have. */
const MANY_STARS = 500;

const cheats: Readonly<Record<Cheat, () => void>> = {
  late: () => {
    let isOpen = false;
    onStatements((sql, run) => {
      if (sql === "begin immediate") return () => (isOpen ? undefined : run());
      if (sql !== "commit") return run;
      return () => {
        isOpen = !isOpen;
        return isOpen ? undefined : run();
      };
    });
  },

  deaf: () =>
    onStatements((sql, run) => {
      if (sql !== "commit") return run;
      return () => {
        try {
          return run();
        } catch {
          return undefined;
        }
      };
    }),

  "hand-over": () => {
    const { addInterest, removeInterest } = Bus.prototype;
    const coming = new Set<Interest>();
    Bus.prototype.addInterest = function (this: Bus, interest) {
      coming.add(interest);
      setImmediate(() => {
        if (coming.delete(interest)) addInterest.call(this, interest);
      });
    };
    Bus.prototype.removeInterest = function (this: Bus, interest) {
      if (!coming.delete(interest)) removeInterest.call(this, interest);
    };
  },

  sweep: () => {
    const { deliver } = Cohort.prototype;
    Cohort.prototype.deliver = function (this: Cohort<never>, item) {
      return !this.isLive && "id" in item && item.id % 7 === 0 ? false : deliver.call(this, item);
    };
  },

  leak: () => {
    const leaked: unknown[] = [];
    let commits = 0;
    onStatements((sql, run) => {
      if (sql !== "commit") return run;
      return () => {
        if (++commits % COMMITS_A_LEAK === 0) leaked.push(openSync("/dev/null", "r"), Buffer.alloc(LEAKED_BYTES, 1));
        return run();
      };
    });
  },

  brittle: () => {
    let slowest: string | undefined;
    onWrongInputs((error) => {
      slowest ??= String(error);
      if (String(error) === slowest) work(SLOW_US);
      throw new RangeError("an input that was not expected");
    });
  },

  backtracking: () => {
    const { read } = Query.prototype;
    Query.prototype.read = function (this: Query<Parameters>, url) {
      if (url.split("*").length > MANY_STARS) work(BACKTRACKING_US);
      return read.call(this, url);
    };
  },

  jumping: () => {
    performance.now = Date.now;
  },

  forgetful: () => {
    const { run } = Database.prototype;
    Database.prototype.run = function (this: Database, sql: string, ...parameters: never[]) {
      if (sql.startsWith("pragma user_version =")) run.call(this, "delete from event where id % 10 = 0");
      return run.call(this, sql, ...parameters);
    } as typeof run;
  },

  stale: () => {
    const { prepare } = Database.prototype;
    Database.prototype.prepare = function (this: Database, sql: string, ...parameters: never[]) {
      const statement = prepare.call(this, sql, ...parameters);
      if (!/ from event where rowid > /.test(sql)) return statement;
      const iterate = statement.iterate.bind(statement) as (after: number, upTo: number) => Iterable<unknown>;
      const value = (after: number, upTo: number) => iterate(after, Math.floor(upTo / 2));
      return Object.defineProperty(statement, "iterate", { value });
    } as typeof prepare;
  },
};

/** Keeps the processor busy for this many microseconds. */
function work(forUs: number): void {
  const before = process.cpuUsage();
  while (process.cpuUsage(before).user < forUs);
}

/** Does this with the error of a wrong input. */
function onWrongInputs(fail: (error: unknown) => never): void {
  const { requireOnly } = Members.prototype;
  Members.prototype.requireOnly = function (this: Members, known) {
    try {
      requireOnly.call(this, known);
    } catch (error) {
      fail(error);
    }
  };
  const { read } = Query.prototype;
  Query.prototype.read = function (this: Query<Parameters>, url) {
    try {
      return read.call(this, url);
    } catch (error) {
      return fail(error);
    }
  };
}

/** Replaces how statements run. */
function onStatements(cheat: (sql: string, run: Run) => Run): void {
  const prepare = Database.prototype.prepare;
  Database.prototype.prepare = function (this: Database, sql: string, ...parameters: never[]) {
    const statement = prepare.call(this, sql, ...parameters);
    const run = statement.run.bind(statement) as Run;
    const cheating = cheat(sql, run);
    if (cheating !== run) Object.defineProperty(statement, "run", { value: cheating });
    return statement;
  } as typeof prepare;
}

const cheat = CHEATS.find((name) => name === process.env["FAULTS_CHEAT"]);
if (cheat === undefined) throw new Error(`FAULTS_CHEAT must be one of ${CHEATS.join(", ")}`);
cheats[cheat]();
