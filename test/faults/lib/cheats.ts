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
    const { requireOnly } = Members.prototype;
    Members.prototype.requireOnly = function (this: Members, known) {
      brittly(() => requireOnly.call(this, known));
    };
    const { read } = Query.prototype;
    Query.prototype.read = function (this: Query<Parameters>, url) {
      return brittly(() => read.call(this, url));
    };
  },
};

function brittly<T>(work: () => T): T {
  try {
    return work();
  } catch {
    throw new RangeError("an input that was not expected");
  }
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
