import type { Bench, Context, Row } from "../lib/bench.ts";
import { preparedHistory, SOURCES } from "../lib/history-file.ts";
import { Program } from "../lib/program.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { median, percentile } from "../lib/stats.ts";
import type { AskCommands } from "../load/ask.ts";

const LARGE = 3_000_000;
const SMALL = 100_000;
const LAST = 50;
/** About the size of one event of a prepared history. */
const EVENT_BYTES = 210;
/** First segments of the topics; the pattern of one matches ten topics of a thousand. */
const SITES = 100;
const HOUR_MS = 3_600_000;

export const history: Bench = {
  name: "history",
  title: "Asking the history",
  about:
    "`GET /api/events/history?last=50&topic=site7.*`, another site at random each time: a pattern of 10 of 1,000 topics, " +
    "in a history of 3 million events of 10 sources, all at random. Asked one after another on one connection, measured " +
    "from outside; a round gives its median. One control is the same question to a history of 100 thousand events, the " +
    "other a bare `Bun.serve` that answers with as many bytes of a constant. `from` and `to` are a tenth of the " +
    "history's time, anywhere in it.",
  run,
};

type Filters = "none" | "from and to" | "source" | "from, to and source";

async function run(context: Context): Promise<readonly Row[]> {
  const large = context.isQuick ? LARGE / 10 : LARGE;
  const flags = async (events: number) => ["--db", await preparedHistory(context, events)];
  return using(Server.eventbus(context, await flags(large)), async (largeServer) =>
    using(Server.eventbus(context, await flags(SMALL)), (smallServer) =>
      using(Server.control(context, "bare-answer", String(LAST), String(EVENT_BYTES)), (bareServer) =>
        using(new Program<AskCommands>("ask", context.folder), (program) =>
          measureAll(context, program, { large: largeServer, small: smallServer, bare: bareServer }),
        ),
      ),
    ),
  );
}

interface Servers {
  readonly large: Server;
  readonly small: Server;
  readonly bare: Server;
}

async function measureAll(context: Context, program: Program<AskCommands>, servers: Servers): Promise<Row[]> {
  const questions = context.isQuick ? 100 : 1000;
  const range = await timeRange(servers.large);
  const ask = async (server: Server, filters: Filters) => {
    const paths = Array.from({ length: questions }, () => question(filters, range));
    const { timesMs, events } = await program.ask("ask", { port: server.port, paths });
    if (filters === "none" && events.some((count) => count !== LAST)) throw new Error("an answer is too short");
    return timesMs;
  };
  for (const server of Object.values(servers)) await ask(server, "none");
  const times = await takeTurns(context, {
    bare: () => ask(servers.bare, "none"),
    small: () => ask(servers.small, "none"),
    large: () => ask(servers.large, "none"),
    ranged: () => ask(servers.large, "from and to"),
    sourced: () => ask(servers.large, "source"),
    both: () => ask(servers.large, "from, to and source"),
  });
  const medians = (rounds: readonly number[][]) => rounds.map(median);
  const bare = { name: "bare Bun.serve", values: medians(times.bare) };
  const millions = `${(context.isQuick ? LARGE / 10 : LARGE) / 1e6} million events`;
  const row = (name: string, rounds: readonly number[][], bound: number): Row => ({
    name: `history, last 50 of a pattern of 1 % of topics${name}, in ${millions}`,
    unit: "ms",
    values: medians(rounds),
    control: bare,
    target: { of: "value", is: "at most", bound },
    notes: [`99th percentile ${percentile(rounds.flat(), 0.99).toFixed(2)} ms`],
    timesMs: { ours: rounds.flat(), [bare.name]: times.bare.flat() },
  });
  return [
    row("", times.large, 3),
    {
      name: `history, the same question, ${millions} beside 100 thousand`,
      unit: "ms",
      values: medians(times.large),
      control: { name: "in 100 thousand events", values: medians(times.small) },
      target: { of: "ratio", is: "at most", bound: 1.5 },
      notes: [],
    },
    row(", from and to", times.ranged, 10),
    row(", source", times.sourced, 10),
    row(", from, to and source", times.both, 10),
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

function question(filters: Filters, { fromMs, toMs }: TimeRange): string {
  const query = new URLSearchParams({ last: String(LAST), topic: `site${Math.floor(Math.random() * SITES)}.*` });
  if (filters.includes("from")) {
    const widthMs = Math.min((toMs - fromMs) / 10, HOUR_MS);
    const startMs = fromMs + Math.random() * (toMs - fromMs - widthMs);
    query.set("from", new Date(startMs).toISOString());
    query.set("to", new Date(startMs + widthMs).toISOString());
  }
  if (filters.includes("source")) query.set("source", `source${Math.floor(Math.random() * SOURCES)}`);
  return `/api/events/history?${query}`;
}
