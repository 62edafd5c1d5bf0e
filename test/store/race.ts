// Opens each history that the arguments name as soon as there is a file of that name with `.go` after it, says "open" or
// why not, and holds all of them until it is killed.
import { existsSync } from "node:fs";
import { SqliteEventLog } from "../../src/store/event-log.ts";

const held: SqliteEventLog[] = [];
process.stdout.write("ready\n");
for (const path of process.argv.slice(2)) {
  // Looks without a pause: two of these should open at the same instant.
  while (!existsSync(`${path}.go`)) if (process.ppid === 1) process.exit();
  process.stdout.write(`${outcomeOf(path)}\n`);
}
// The logs must not be forgotten, or their files are closed with them.
setInterval(() => held.map((log) => log.health()), 1_000_000);

function outcomeOf(path: string): string {
  try {
    held.push(new SqliteEventLog(path));
    return "open";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
