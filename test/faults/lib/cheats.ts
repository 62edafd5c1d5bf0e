// Loaded before the server by a harness that must notice it: makes the storage cheat as FAULTS_CHEAT says.
import { Database } from "bun:sqlite";

type Run = (...parameters: unknown[]) => unknown;

const cheats: Readonly<Record<string, (sql: string, run: Run) => Run>> = {
  // Every other commit is left to the next one, but answered at once.
  late: (() => {
    let isOpen = false;
    return (sql: string, run: Run): Run => {
      if (sql === "begin immediate") return () => (isOpen ? undefined : run());
      if (sql !== "commit") return run;
      return () => {
        isOpen = !isOpen;
        return isOpen ? undefined : run();
      };
    };
  })(),
  // A commit that fails is answered as if it had not.
  deaf: (sql, run) => {
    if (sql !== "commit") return run;
    return () => {
      try {
        return run();
      } catch {
        return undefined;
      }
    };
  },
};

const cheat = cheats[process.env["FAULTS_CHEAT"] ?? ""];
if (cheat === undefined) throw new Error("FAULTS_CHEAT must be one of late, deaf");

const prepare = Database.prototype.prepare;
Database.prototype.prepare = function (this: Database, sql: string, ...parameters: never[]) {
  const statement = prepare.call(this, sql, ...parameters);
  const run = statement.run.bind(statement) as Run;
  const cheating = cheat(sql, run);
  if (cheating !== run) Object.defineProperty(statement, "run", { value: cheating });
  return statement;
} as typeof prepare;
