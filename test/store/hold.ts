// Opens the history named by the first argument, appends as many events as the second says, each in its own commit,
// says so, and holds the file until it is killed.
import { SqliteEventLog } from "../../src/store/event-log.ts";
import { draft } from "../contract/log-driver.ts";

const [path = "", count = "0"] = process.argv.slice(2);
const log = new SqliteEventLog(path);
for (let index = 1; index <= Number(count); index++) {
  await log.append([draft(`topic.${index % 7}`, { index, text: "x".repeat((index * 37) % 500) })]);
}
process.stdout.write("ready\n");
// The log must not be forgotten, or its file is closed with it.
setInterval(() => log.health(), 1_000_000);
