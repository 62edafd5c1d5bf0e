import type { Bench, Context, Row } from "../lib/bench.ts";
import { largeHistoryEvents, preparedHistory, SOURCES } from "../lib/history-file.ts";
import { Program } from "../lib/program.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { median, percentile } from "../lib/stats.ts";
import type { AskCommands } from "../load/ask.ts";

const SMALL = 100_000;
const LAST = 50;
const QUESTIONS = 500;
const QUICK_QUESTIONS = 50;
/** About the size of one event of a prepared history. */
const EVENT_BYTES = 210;
/** First segments of the topics; the pattern of one matches ten topics of a thousand. */
const SITES = 100;
const HOUR_MS = 3_600_000;
const MAX_MS = 3;
const MAX_GROWTH = 2;

export const history: Bench = {
  name: "history",
  title: "Asking the history",
  about:
    "`GET /api/events/history?last=50` in a history of 10 million events of 1,000 topics and 10 sources, all at " +
    "random: of a pattern (`topic=site7.*`, 10 topics, another site each time), of a tenth of the history's time, " +
    "of a source, and of these together. Requests follow one another on one connection and are timed from outside; " +
    "a round gives their median. One control is a bare `Bun.serve` that responds with as many bytes of a constant, " +
    "the other the same request to a history of 100 thousand events. An index whose reading grows with the history, " +
    "or a walk along the events, shows in the ratio of the two. Filters together are the hardest, since no single " +
    "index covers them.",
  run,
};

/** What the questions ask for, in the order of the report. */
const KINDS = {
  pattern: "of a pattern of 1 % of topics",
  time: "of a tenth of the time",
  source: "of a source",
  patternAndTime: "of the pattern in the time",
  patternAndSource: "of the pattern and a source",
  all: "of the pattern and a source in the time",
} as const;
type Kind = keyof typeof KINDS;

interface Servers {
  readonly large: Server;
  readonly small: Server;
  readonly bare: Server;
}

async function run(context: Context): Promise<readonly Row[]> {
  const flags = async (events: number) => ["--db", await preparedHistory(context, events)];
  return using(Server.eventbus(context, await flags(largeHistoryEvents(context))), async (large) =>
    using(Server.eventbus(context, await flags(SMALL)), (small) =>
      using(Server.control(context, "bare-answer", String(LAST), String(EVENT_BYTES)), (bare) =>
        using(new Program<AskCommands>("ask", context.folder), (program) =>
          measureAll(context, program, { large, small, bare }),
        ),
      ),
    ),
  );
}

async function measureAll(context: Context, program: Program<AskCommands>, servers: Servers): Promise<Row[]> {
  const asker = async (server: Server) => {
    const range = server === servers.bare ? { fromMs: 0, toMs: 0 } : await timeRange(server);
    return async (kind: Kind) => {
      const count = context.isQuick ? QUICK_QUESTIONS : QUESTIONS;
      const paths = Array.from({ length: count }, () => question(kind, range));
      const { timesMs, events } = await program.ask("ask", { port: server.port, paths });
      const isShort = kind === "pattern" && events.some((found) => found !== LAST);
      if (isShort) throw new Error("an answer is too short");
      return timesMs;
    };
  };
  const ask = {
    large: await asker(servers.large),
    small: await asker(servers.small),
    bare: await asker(servers.bare),
  };
  for (const one of Object.values(ask)) await one("pattern");
  const kinds = Object.keys(KINDS) as Kind[];
  const variants: Record<string, () => Promise<number[]>> = { bare: () => ask.bare("pattern") };
  for (const kind of kinds) {
    variants[`${kind}, small`] = () => ask.small(kind);
    variants[`${kind}, large`] = () => ask.large(kind);
  }
  const times = await takeTurns<Record<string, number[]>>(context, variants);
  const millions = `${largeHistoryEvents(context) / 1e6} million events`;
  return kinds.flatMap((kind) =>
    rowsOf(KINDS[kind], millions, {
      large: times[`${kind}, large`] ?? [],
      small: times[`${kind}, small`] ?? [],
      bare: times["bare"] ?? [],
    }),
  );
}

interface Times {
  readonly large: readonly number[][];
  readonly small: readonly number[][];
  readonly bare: readonly number[][];
}

function rowsOf(kind: string, millions: string, { large, small, bare }: Times): Row[] {
  const medians = (rounds: readonly number[][]) => rounds.map(median);
  const common = { unit: "ms", values: medians(large) };
  return [
    {
      ...common,
      name: `history, last 50 ${kind}, in ${millions}`,
      control: { name: "bare Bun.serve", values: medians(bare) },
      target: { of: "value", is: "at most", bound: MAX_MS },
      notes: [`99th percentile ${percentile(large.flat(), 0.99).toFixed(2)} ms`],
      timesMs: { ours: large.flat(), "in 100 thousand events": small.flat() },
    },
    {
      ...common,
      name: `history, last 50 ${kind}, ${millions} beside 100 thousand`,
      control: { name: "in 100 thousand events", values: medians(small) },
      target: { of: "ratio", is: "at most", bound: MAX_GROWTH },
      notes: [],
    },
  ];
}

interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

async function timeRange({ url }: Server): Promise<TimeRange> {
  const timeOf = async (query: string) => {
    const [event] = (await (await fetch(`${url}/api/events/history?last=1${query}`)).json()) as {
      created_at: string;
    }[];
    return Date.parse(event?.created_at ?? "");
  };
  return { fromMs: await timeOf("&after=0"), toMs: await timeOf("") };
}

function question(kind: Kind, { fromMs, toMs }: TimeRange): string {
  const query = new URLSearchParams({ last: String(LAST) });
  if (kind !== "time" && kind !== "source") query.set("topic", `site${Math.floor(Math.random() * SITES)}.*`);
  if (kind === "time" || kind === "patternAndTime" || kind === "all") {
    const widthMs = Math.min((toMs - fromMs) / 10, HOUR_MS);
    const startMs = fromMs + Math.random() * (toMs - fromMs - widthMs);
    query.set("from", new Date(startMs).toISOString());
    query.set("to", new Date(startMs + widthMs).toISOString());
  }
  if (kind === "source" || kind === "patternAndSource" || kind === "all") {
    query.set("source", `source${Math.floor(Math.random() * SOURCES)}`);
  }
  return `/api/events/history?${query}`;
}
