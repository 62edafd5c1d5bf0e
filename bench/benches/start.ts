import type { Bench, Context, Row } from "../lib/bench.ts";
import { buildControl } from "../lib/build.ts";
import { timeToFirstAnswer } from "../lib/first-answer.ts";
import { largeHistoryEvents, preparedHistory, usingCopy } from "../lib/history-file.ts";
import { publisher, SMALL_EVENT } from "../lib/load.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server, serveArguments } from "../lib/server.ts";
import { median } from "../lib/stats.ts";

const STARTS = 7;
const KILLS = 3;
/** Publishing before each kill: enough for a write-ahead log of its usual size, with commits under way. */
const PUBLISHING_MS = 2000;
const PATH = "/api/events/history?last=1";
const MAX_MS = 250;

export const start: Bench = {
  name: "start",
  title: "Start",
  about:
    "The time from starting the compiled program on a history of 10 million events (in the page cache) until it has " +
    "responded to `GET /api/events/history?last=1`, repeated each millisecond. After a stop, a round gives the " +
    "median of 7 starts; after a kill (SIGKILL) while 4 connections published NDJSON flat out for two seconds, the " +
    "median of 3. A start must read what the last commits left, and nothing that grows with the history. The " +
    "control is a bare `Bun.serve`, compiled the same way: the time that the runtime needs before any of our code " +
    "runs. The time with an empty history is in the notes.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const events = largeHistoryEvents(context);
  const file = await preparedHistory(context, events);
  const bareBinary = await buildControl("bare-publish", context.folder);
  const { bare, empty, full, killed } = await takeTurns(context, {
    bare: () => medianOf(STARTS, () => timeToFirstAnswer(context, (port) => [bareBinary, String(port)], "/")),
    empty: () => medianOf(STARTS, () => startOn(context, ":memory:")),
    full: () => medianOf(STARTS, () => startOn(context, file)),
    killed: () => measureKilled(context, events),
  });
  const millions = `${events / 1e6} million events`;
  const common = { unit: "ms", control: { name: "bare Bun.serve, compiled", values: bare } };
  const target = { of: "value", is: "at most", bound: MAX_MS } as const;
  const notes = [`with an empty history ${median(empty).toFixed(0)} ms`];
  return [
    { ...common, name: `start with ${millions} after a stop, to the first answer`, values: full, target, notes },
    { ...common, name: `start with ${millions} after a kill, to the first answer`, values: killed, target, notes },
  ];
}

function startOn(context: Context, db: string): Promise<number> {
  const argv = (port: number) => [context.binary, ...serveArguments(port, context.folder, ["--db", db])];
  return timeToFirstAnswer(context, argv, PATH);
}

function measureKilled(context: Context, events: number): Promise<number> {
  return usingCopy(context, events, (file) =>
    medianOf(KILLS, async () => {
      await publishAndKill(context, file);
      return startOn(context, file);
    }),
  );
}

function publishAndKill(context: Context, file: string): Promise<void> {
  return using(Server.eventbus(context, ["--db", file]), (server) =>
    using(publisher(context), async (program) => {
      await program.ask("begin", { port: server.port, connections: 4, body: { ...SMALL_EVENT, events: 100 } });
      await Bun.sleep(PUBLISHING_MS);
      await server.kill();
    }),
  );
}

async function medianOf(times: number, measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let count = 0; count < times; count++) values.push(await measure());
  return median(values);
}
