/**
 * The program itself, but for the group commit: each append waits until the one before it is on disk, so that every
 * request has a transaction and an fsync of its own. Takes the program's command line.
 */
import { createProgram } from "../../src/main.ts";
import { SqliteEventLog } from "../../src/store/event-log.ts";

const append = SqliteEventLog.prototype.append;
let last: Promise<unknown> = Promise.resolve();

SqliteEventLog.prototype.append = function (...args) {
  const appended = last.then(() => append.apply(this, args));
  last = appended.catch(() => {});
  return appended;
};

await createProgram().parseAsync(process.argv.slice(2), { from: "user" });
process.exit();
