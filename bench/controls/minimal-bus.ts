/**
 * The same promise in as little as it takes by hand: `JSON.parse`, a plain table without any index, one fsynced
 * transaction for all that came in a turn of the loop, and the whole event as the answer once it is on disk. Nothing is
 * checked. A WebSocket with `?pattern=site17.*`, one a site, is sent the events of its site, found by one look-up.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { ServerWebSocket } from "bun";

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

interface Event {
  readonly id: number;
  readonly topic: string;
  readonly data: unknown;
  readonly source: string;
  readonly created_at: Date;
}

let id = 0;
let waiting: Waiting[] = [];
const sockets = new Map<string, ServerWebSocket<string>>();

const insertAll = database.transaction((group: readonly Waiting[], createdAt: Date): Event[] =>
  group.map(({ body: { topic, data = null, source = "" } }) => {
    insert.run(++id, topic, JSON.stringify(data), source, createdAt.getTime());
    return { id, topic, data, source, created_at: createdAt };
  }),
);

function commit(): void {
  const group = waiting;
  waiting = [];
  const events = insertAll(group, new Date());
  for (const [index, { resolve }] of group.entries()) resolve(Response.json(events[index]));
  if (sockets.size > 0) for (const event of events) deliver(event);
}

function deliver(event: Event): void {
  sockets.get(`${event.topic.slice(0, event.topic.indexOf("."))}.*`)?.send(JSON.stringify(event));
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
  fetch(request, server) {
    const data = new URL(request.url).searchParams.get("pattern") ?? "";
    return server.upgrade(request, { data }) ? undefined : new Response("ready");
  },
  websocket: {
    open: (socket: ServerWebSocket<string>) => void sockets.set(socket.data, socket),
    close: (socket) => void sockets.delete(socket.data),
    message() {},
  },
});
