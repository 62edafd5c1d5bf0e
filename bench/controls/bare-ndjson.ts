/** NDJSON into a plain table as one would write it by hand: `JSON.parse` a line, one fsynced transaction a body. */
import { Database } from "bun:sqlite";
import { join } from "node:path";

const [port, folder = "."] = process.argv.slice(2);

const database = new Database(join(folder, "plain.db"));
database.run("pragma journal_mode = wal");
database.run("pragma synchronous = full");
database.run("create table event (id integer primary key, topic text, data text, source text, created_at integer)");
const insert = database.prepare("insert into event (topic, data, source, created_at) values (?, ?, ?, ?)");
const insertAll = database.transaction((lines: readonly string[]) => {
  for (const line of lines) {
    const { topic, data = null, source = "" } = JSON.parse(line);
    insert.run(topic, JSON.stringify(data), source, Date.now());
  }
});

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  development: false,
  routes: {
    "/api/events/publish": {
      POST: async (request) => {
        const lines = (await request.text()).split("\n");
        insertAll(lines);
        return Response.json({ count: lines.length });
      },
    },
  },
  fetch: () => new Response("ready"),
});
