import type { Bench, Context, Row } from "../lib/bench.ts";
import { perSecond, publisher, SMALL_EVENT } from "../lib/load.ts";
import { Program } from "../lib/program.ts";
import { busyNote, serverBusy, type Throughput, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { median, percentile } from "../lib/stats.ts";
import type { AskCommands } from "../load/ask.ts";
import { below, siteCount, topicName } from "../load/requests.ts";

const PUBLISHERS = 4;
const LINES = 1000;
const CLIENTS = 4;
/** More questions than are answered in a window beside the flood. */
const QUESTIONS = 20_000;
/** How long the flood goes on before the questions come, in seconds. */
const MARGIN_SECONDS = 1;

export const questions: Bench = {
  name: "questions",
  title: "Questions beside a flood",
  about:
    "4 connections publish NDJSON bodies of 1,000 lines flat out, 1,000 topics at random. Meanwhile 4 more request the last " +
    "50 events, first of a topic and then of a pattern that begins with a wildcard, another one each time. A turn of the " +
    "loop that commits such bodies takes some ten milliseconds, so a question that gets a millisecond of each waits for as " +
    "many turns as it needs. The controls are the same questions without publishers, and the same flood without questions.",
  run,
};

const KINDS = {
  "of a topic": () => topicName(below(SMALL_EVENT.topics)),
  "of a leading wildcard": () => `*e${below(siteCount(SMALL_EVENT.topics))}.sensor*`,
} as const;
type Kind = keyof typeof KINDS;

interface Beside {
  readonly times: Readonly<Record<Kind, readonly number[]>>;
  readonly published: readonly Throughput[];
}

async function run(context: Context): Promise<readonly Row[]> {
  const { still, flood } = await takeTurns(context, {
    still: () => using(filled(context), (server) => askAll(context, server)),
    flood: () => measure(context),
  });
  const rows = (Object.keys(KINDS) as Kind[]).map((kind): Row => {
    const ours = flood.map(({ times }) => times[kind]);
    const control = still.map((times) => times[kind]);
    return {
      name: `history, last 50 ${kind} beside NDJSON flat out`,
      unit: "ms",
      values: ours.map(median),
      control: { name: "nothing published", values: control.map(median) },
      notes: [`99th percentile ${percentile(ours.flat(), 0.99).toFixed(1)} ms`],
      timesMs: { ours: ours.flat(), "nothing published": control.flat() },
    };
  });
  const [alone = [], beside = []] = [0, 1].map((index) => flood.flatMap(({ published }) => published[index] ?? []));
  return [
    ...rows,
    {
      name: "NDJSON publish beside these questions",
      unit: "events/s",
      values: perSecond(beside),
      control: { name: "without them", values: perSecond(alone) },
      target: { of: "ratio", is: "at least", bound: 0.6 },
      notes: [busyNote("ours", beside), busyNote("control", alone)],
    },
  ];
}

/** A server that was published to for as long as a warm-up. */
async function filled(context: Context): Promise<Server> {
  const server = await Server.eventbus(context);
  await flooded(context, server, () => Promise.resolve());
  return server;
}

function measure(context: Context): Promise<Beside> {
  return using(Server.eventbus(context), async (server) => {
    const alone = await flooded(context, server, () => Bun.sleep(context.windowSeconds * 1000));
    let times: Beside["times"] | undefined;
    const beside = await flooded(context, server, async () => {
      times = await askAll(context, server);
    });
    if (times === undefined) throw new Error("nothing was asked");
    return { times, published: [alone, beside] };
  });
}

/** What is published while the work is done. */
function flooded(context: Context, server: Server, work: () => Promise<void>): Promise<Throughput> {
  return using(publisher(context), async (program) => {
    const body = { ...SMALL_EVENT, events: LINES };
    await program.ask("begin", { port: server.port, connections: PUBLISHERS, body });
    await Bun.sleep(MARGIN_SECONDS * 1000);
    const busy = serverBusy(server, { ...context, warmupSeconds: 0 });
    await work();
    const { eventsPerSecond, generatorBusy } = await program.ask("end");
    return { eventsPerSecond, generatorBusy, serverBusy: await busy };
  });
}

function askAll(context: Context, { port }: Server): Promise<Beside["times"]> {
  return using(new Program<AskCommands>("ask", context.folder), async (program) => {
    const entries: [string, readonly number[]][] = [];
    for (const [kind, pattern] of Object.entries(KINDS)) {
      const paths = Array.from(
        { length: QUESTIONS },
        () => `/api/events/history?last=50&topic=${encodeURIComponent(pattern())}`,
      );
      const seconds = context.windowSeconds / 2;
      const { timesMs } = await program.ask("askFor", { port, paths, seconds, connections: CLIENTS });
      entries.push([kind, timesMs]);
    }
    return Object.fromEntries(entries) as Record<Kind, readonly number[]>;
  });
}
