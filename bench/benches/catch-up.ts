import type { Bench, Context, Row } from "../lib/bench.ts";
import { type Converged, converge, flatOut, liveRow, type Publishing, quiet } from "../lib/converge.ts";
import { SOCKETS } from "../lib/fan-out.ts";
import { usingCopy } from "../lib/history-file.ts";
import { receiver } from "../lib/load.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { median } from "../lib/stats.ts";
import { show } from "../lib/verdict.ts";

const EVENTS = 1_000_000;
const CONNECTIONS = 64;
const NDJSON_LINES = 100;
const MAX_SECONDS = 15;
/** Twice the target: a reader that is not live by then does not converge, or too slowly to matter. */
const GIVE_UP_SECONDS = 30;
const SUBSCRIBE_PATH = "/api/events/subscribe";
const ALL = { path: `${SUBSCRIBE_PATH}?since=all`, after: 0 };

export const catchUp: Bench = {
  name: "catch-up",
  title: "Catching up under load",
  about:
    "One WebSocket that is a million events behind (`since=all`) reads as fast as it is sent, while 64 connections " +
    "publish flat out: one small event per request, then NDJSON bodies of 100. Measured are the time until it is " +
    "live and its lag after each second. A server that gives its readers a small fixed share fails here: publishers " +
    "outrun the reader forever, and retention overtakes it. The server must give the reader the share that it needs " +
    "and let publishers wait. Every id is checked. The control is the same reader with nothing published. The last " +
    "row adds 1,000 live WebSockets, whose frames are counted before and meanwhile: that is what catching up costs " +
    "them. Readers and publishers share one core, of which a reader of 200,000 events/s needs about a third.",
  run,
};

interface BesideLive extends Converged {
  readonly framesBefore: number;
  readonly framesMeanwhile: number;
}

async function run(context: Context): Promise<readonly Row[]> {
  const { still, http, ndjson, live } = await takeTurns(context, {
    still: () => measure(context, () => quiet),
    http: () => measure(context, (server) => flatOut(context, server, CONNECTIONS, 1)),
    ndjson: () => measure(context, (server) => flatOut(context, server, CONNECTIONS, NDJSON_LINES)),
    live: () => measureBesideLive(context),
  });
  const million = `${context.isQuick ? "100,000" : "1 million"} events behind`;
  const row = (name: string, rounds: readonly Converged[], notes: readonly string[] = []) =>
    liveRow({
      name: `a reader ${million}, ${name}: until it is live`,
      rounds,
      control: still,
      sockets: 1,
      bound: MAX_SECONDS,
      maxSeconds: GIVE_UP_SECONDS,
      notes,
    });
  return [
    row("64 publishers over HTTP", http),
    lagRow("64 publishers over HTTP", http),
    row("64 publishers over NDJSON", ndjson),
    lagRow("64 publishers over NDJSON", ndjson),
    row("64 publishers over HTTP and 1,000 live WebSockets", live, [framesNote(live)]),
  ];
}

/** Its lag falls from the first second on. */
function lagRow(name: string, rounds: readonly Converged[]): Row {
  return {
    name: `the same reader, ${name}: how far behind after the first second`,
    unit: "events",
    values: rounds.map(({ lags }) => lags[1] ?? 0),
    control: { name: "at its connect", values: rounds.map(({ lags }) => lags[0] ?? 0) },
    target: { of: "ratio", is: "at most", bound: 1 },
    notes: [],
  };
}

function framesNote(rounds: readonly BesideLive[]): string {
  const before = median(rounds.map(({ framesBefore }) => framesBefore));
  const meanwhile = median(rounds.map(({ framesMeanwhile }) => framesMeanwhile));
  return `the live WebSockets got ${show(before)} frames/s before and ${show(meanwhile)} meanwhile`;
}

function measure(context: Context, publishing: (server: Server) => Publishing): Promise<Converged> {
  return usingHistory(context, (server) =>
    converge(context, server, { readers: () => [ALL], publishing: publishing(server), maxSeconds: GIVE_UP_SECONDS }),
  );
}

function measureBesideLive(context: Context): Promise<BesideLive> {
  return usingHistory(context, (server) =>
    using(receiver(context), async (live) => {
      await live.ask("open", { port: server.port, transport: "websocket", path: SUBSCRIBE_PATH, sockets: SOCKETS });
      let framesBefore = 0;
      let then = { events: 0, atMs: 0 };
      const count = async () => ({ events: await live.ask("count"), atMs: performance.now() });
      const converged = await converge(context, server, {
        readers: () => [ALL],
        publishing: flatOut(context, server, CONNECTIONS, 1),
        maxSeconds: GIVE_UP_SECONDS,
        ready: async () => {
          framesBefore = (await live.ask("measure", { seconds: context.windowSeconds })).eventsPerSecond;
          then = await count();
        },
      });
      const now = await count();
      const framesMeanwhile = ((now.events - then.events) / (now.atMs - then.atMs)) * 1000;
      return { ...converged, framesBefore, framesMeanwhile };
    }),
  );
}

function usingHistory<T>(context: Context, work: (server: Server) => Promise<T>): Promise<T> {
  return usingCopy(context, context.isQuick ? EVENTS / 10 : EVENTS, (file) =>
    using(Server.eventbus(context, ["--db", file]), work),
  );
}
