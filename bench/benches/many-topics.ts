import type { Bench, Context, Row } from "../lib/bench.ts";
import { preparedHistory, type Spread, usingCopy } from "../lib/history-file.ts";
import { perSecond, publishTo, SMALL_EVENT } from "../lib/load.ts";
import { askNewest } from "../lib/newest.ts";
import { Program } from "../lib/program.ts";
import { busyNote, type Throughput, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { median, percentile } from "../lib/stats.ts";
import { show } from "../lib/verdict.ts";
import type { AskCommands } from "../load/ask.ts";
import { below, topicName } from "../load/requests.ts";

const WIDE: Spread = { topics: 100_000, sources: 3 };
const WIDE_EVENTS = 5_000_000;
const NARROW: Spread = { topics: 1000, sources: 10 };
const NARROW_EVENTS = 3_000_000;
const CONNECTIONS = 4;
const LINES = 1000;
/** Warm-ups before the one of the measurement: long enough to publish to most of 300,000 series. */
const COLD_WARMUPS = 3;
const QUESTIONS = 500;

export const manyTopics: Bench = {
  name: "many-topics",
  title: "A hundred thousand topics",
  about:
    "4 connections publish NDJSON bodies of 1,000 lines into a history of 5 million events of 100,000 topics and 3 " +
    "sources, to these topics and sources at random. Measured is what follows the first seconds after the start, in " +
    "which most series are read for the first time; the notes have the rate of those seconds. The control is the " +
    "same with 1,000 topics, in a history of 3 million. Then the last 50 of a topic are requested, of another topic " +
    "each time; the control is the same request to the history of 1,000 topics. Nearly every event of a batch " +
    "belongs to another series here: an index that keeps something in memory, or writes a row, for each series of a " +
    "batch has its cost here.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { narrow, wide } = await takeTurns(context, {
    narrow: () => measurePublish(context, NARROW_EVENTS, NARROW),
    wide: () => measurePublish(context, WIDE_EVENTS, WIDE),
  });
  const { narrowMs, wideMs } = await askBoth(context);
  const cold = ({ coldPerSecond }: Warmed) => coldPerSecond;
  return [
    {
      name: "NDJSON publish, 100,000 topics and 3 sources at random",
      unit: "events/s",
      values: perSecond(wide),
      control: { name: "1,000 topics", values: perSecond(narrow) },
      target: { of: "ratio", is: "at least", bound: 0.7 },
      notes: [
        `after its start, when it met the series for the first time, ${show(median(wide.map(cold)))} events/s, ` +
          `the control ${show(median(narrow.map(cold)))}`,
        busyNote("ours", wide),
        busyNote("control", narrow),
      ],
    },
    {
      name: "history, last 50 of one of 100,000 topics",
      unit: "ms",
      values: wideMs.map(median),
      control: { name: "of one of 1,000 topics", values: narrowMs.map(median) },
      target: { of: "value", is: "at most", bound: 3 },
      notes: [`99th percentile ${percentile(wideMs.flat(), 0.99).toFixed(2)} ms`],
      timesMs: { ours: wideMs.flat(), "of one of 1,000 topics": narrowMs.flat() },
    },
  ];
}

/** A quick run has a tenth of the events, and of the many topics. */
function sized(context: Context, events: number, { topics, sources }: Spread): [number, Spread] {
  if (!context.isQuick) return [events, { topics, sources }];
  return [events / 10, { topics: topics === WIDE.topics ? topics / 10 : topics, sources }];
}

interface Warmed extends Throughput {
  /** Events a second while the server, which has just started, met most series for the first time. */
  readonly coldPerSecond: number;
}

function measurePublish(context: Context, wanted: number, wantedSpread: Spread): Promise<Warmed> {
  const [events, spread] = sized(context, wanted, wantedSpread);
  const body = { ...SMALL_EVENT, topics: spread.topics, sources: WIDE.sources, events: LINES };
  const cold = { ...context, warmupSeconds: 0, windowSeconds: COLD_WARMUPS * context.warmupSeconds };
  const work = (file: string) =>
    using(Server.eventbus(context, ["--db", file]), async (server) => {
      const { eventsPerSecond } = await publishTo(cold, server, CONNECTIONS, body);
      return { ...(await publishTo(context, server, CONNECTIONS, body)), coldPerSecond: eventsPerSecond };
    });
  return usingCopy(context, events, work, spread);
}

async function askBoth(context: Context) {
  const [wideEvents, wide] = sized(context, WIDE_EVENTS, WIDE);
  const [narrowEvents, narrow] = sized(context, NARROW_EVENTS, NARROW);
  const wideFile = await preparedHistory(context, wideEvents, wide);
  const narrowFile = await preparedHistory(context, narrowEvents, narrow);
  return using(Server.eventbus(context, ["--db", wideFile]), (wideServer) =>
    using(Server.eventbus(context, ["--db", narrowFile]), (narrowServer) =>
      using(new Program<AskCommands>("ask", context.folder), async (program) => {
        const count = context.isQuick ? QUESTIONS / 10 : QUESTIONS;
        const ask = (server: Server, topics: number) =>
          askNewest(program, server, count, () => topicName(below(topics)));
        await ask(wideServer, wide.topics);
        await ask(narrowServer, narrow.topics);
        return takeTurns(context, {
          narrowMs: () => ask(narrowServer, narrow.topics),
          wideMs: () => ask(wideServer, wide.topics),
        });
      }),
    ),
  );
}
