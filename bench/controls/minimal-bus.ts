/**
 * The same promise in as little as it takes by hand: `JSON.parse`, a plain table without any index, one fsynced
 * transaction for all that came in a turn of the loop, and the whole event as the answer once it is on disk. Nothing is
 * checked, and there are no subscribers.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";

const [port, folder = "."] = process.argv.slice(2);

const database = new Database(join(folder, "minimal.db"));
database.run("pragma journal_mode = wal");
database.run("pragma synchronous = full");
database.run("create table event (id integer primary key, topic text, data text, source text, created_at integer)");
const insert = database.prepare("insert into event values (?, ?, ?, ?, ?)");

interface Waiting {
  readonly body: { readonly topic: string; readonly data?: unknown; readonly source?: string };
  readonly resolve: (answer: Response) => void;
}

let id = 0;
let waiting: Waiting[] = [];

const insertAll = database.transaction((group: readonly Waiting[], createdAt: Date): Response[] =>
  group.map(({ body: { topic, data = null, source = "" } }) => {
    insert.run(++id, topic, JSON.stringify(data), source, createdAt.getTime());
    return Response.json({ id, topic, data, source, created_at: createdAt });
  }),
);

function commit(): void {
  const group = waiting;
  waiting = [];
  const answers = insertAll(group, new Date());
  for (const [index, { resolve }] of group.entries()) resolve(answers[index] ?? new Response(null, { status: 500 }));
}

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  development: false,
  routes: {
    "/api/events/publish": {
      POST: async (request) => {
        const body = (await request.json()) as Waiting["body"];
        return new Promise<Response>((resolve) => {
          if (waiting.push({ body, resolve }) === 1) setImmediate(commit);
        });
      },
    },
  },
  fetch: () => new Response("ready"),
});
