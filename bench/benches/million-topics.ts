import type { Bench, Context, Row } from "../lib/bench.ts";
import { timeToFirstAnswer } from "../lib/first-answer.ts";
import { type Spread, usingCopy } from "../lib/history-file.ts";
import { askNewest } from "../lib/newest.ts";
import { Program } from "../lib/program.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server, serveArguments } from "../lib/server.ts";
import { maximum, median, percentile } from "../lib/stats.ts";
import type { AskCommands } from "../load/ask.ts";
import type { ConnectCommands } from "../load/connect.ts";
import { below, siteCount, topicName } from "../load/requests.ts";
import type { SteadyCommands } from "../load/steady.ts";

const TOPICS = 1_000_000;
/** Events of each topic, about. */
const EVENTS_EACH = 2;
const FEW: Spread = { topics: 1000, sources: 10 };
const FEW_EVENTS = 1_000_000;
const QUESTIONS = 300;
const STARTS = 5;
const RATE = 200;
const CONNECTIONS = 16;
const CONNECT_RATE = 20;
const KEPT = 100;
const SECONDS = 10;
/** More questions than can be asked in that time. */
const NEW_PATTERNS = 20_000;

export const millionTopics: Bench = {
  name: "million-topics",
  title: "A million topics",
  about:
    "A history of 2 million events of 1,000,000 topics. Measured are the start until the first response; the last " +
    "50 of a topic and of a pattern with a literal prefix (`site123*`, 1,110 topics), another one each time; and " +
    "the longest wait of a publish, of 200 a second by the clock, while one connection requests the history and the " +
    "topics of ever new patterns, most of which begin with a wildcard, and 20 WebSockets a second subscribe to such " +
    "patterns, half of them with `last=10`. The last row is the largest resident memory of the server until then. " +
    "The controls are the same on a history of 1 million events of 1,000 topics, and for the wait the same without " +
    "new patterns. Matching against all topics at once, or memory for each topic, shows here and nowhere else.",
  run,
};

interface Round {
  readonly startMs: number;
  readonly literalMs: readonly number[];
  readonly prefixMs: readonly number[];
  readonly stillMs: readonly number[];
  readonly besideMs: readonly number[];
  readonly asked: number;
  readonly megabytes: number;
}

async function run(context: Context): Promise<readonly Row[]> {
  const topics = context.isQuick ? TOPICS / 10 : TOPICS;
  const fewEvents = context.isQuick ? FEW_EVENTS / 10 : FEW_EVENTS;
  const { few, many } = await takeTurns(context, {
    few: () => measure(context, fewEvents, FEW),
    many: () => measure(context, topics * EVENTS_EACH, { topics, sources: 0 }),
  });
  const name = `${topics.toLocaleString("en")} topics`;
  const row = (what: string, of: (round: Round) => number, bound: number, notes: string[] = []): Row => ({
    name: `${name}: ${what}`,
    unit: "ms",
    values: many.map(of),
    control: { name: "1,000 topics", values: few.map(of) },
    target: { of: "value", is: "at most", bound },
    notes,
  });
  const nines = (of: (round: Round) => readonly number[]) =>
    `99th percentile ${percentile(many.flatMap(of), 0.99).toFixed(2)} ms`;
  return [
    row("start to the first answer", ({ startMs }) => startMs, 500),
    row("history, last 50 of a topic", ({ literalMs }) => median(literalMs), 5, [nines(({ literalMs }) => literalMs)]),
    row("history, last 50 of a prefix", ({ prefixMs }) => median(prefixMs), 10, [nines(({ prefixMs }) => prefixMs)]),
    {
      ...row("longest wait of a publish beside new patterns", ({ besideMs }) => maximum(besideMs), 50, [
        `${median(many.map(({ asked }) => asked))} requests were served meanwhile`,
        `with 1,000 topics ${maximum(few.flatMap(({ besideMs }) => besideMs)).toFixed(1)} ms`,
      ]),
      control: { name: "without new patterns", values: many.map(({ stillMs }) => maximum(stillMs)) },
      timesMs: {
        ours: many.flatMap(({ besideMs }) => besideMs),
        "without new patterns": many.flatMap(({ stillMs }) => stillMs),
      },
    },
    { ...row("most memory", ({ megabytes }) => megabytes, 400), unit: "MB" },
  ];
}

function measure(context: Context, events: number, spread: Spread): Promise<Round> {
  return usingCopy(context, events, (file) => measureOn(context, file, spread), spread);
}

async function measureOn(context: Context, file: string, spread: Spread): Promise<Round> {
  const argv = (port: number) => [context.binary, ...serveArguments(port, context.folder, ["--db", file])];
  const startsMs: number[] = [];
  for (let count = 0; count < STARTS; count++) {
    startsMs.push(await timeToFirstAnswer(context, argv, "/api/events/history?last=1"));
  }
  return using(Server.eventbus(context, ["--db", file]), (server) =>
    using(new Program<AskCommands>("ask", context.folder), async (program) => {
      const questions = context.isQuick ? QUESTIONS / 10 : QUESTIONS;
      const ask = (pattern: () => string) => askNewest(program, server, questions, pattern);
      const literal = () => topicName(below(spread.topics));
      const prefix = () => sitePrefix(siteCount(spread.topics));
      await ask(literal);
      const literalMs = await ask(literal);
      const prefixMs = await ask(prefix);
      const waits = await measureWaits(context, server, program, spread.topics);
      return {
        startMs: median(startsMs),
        literalMs,
        prefixMs,
        ...waits,
        megabytes: server.peakResidentBytes() / 1e6,
      };
    }),
  );
}

/** A prefix that ends within a segment: it matches 111 sites of 10,000 and more, and 11 of fewer. */
function sitePrefix(sites: number): string {
  const smallest = Math.max(1, Math.floor(sites / 1000));
  return `site${smallest + below(9 * smallest)}*`;
}

function measureWaits(context: Context, { port }: Server, asking: Program<AskCommands>, topics: number) {
  const seconds = context.isQuick ? 2 : SECONDS;
  return using(new Program<SteadyCommands>("steady", context.folder), (steady) =>
    using(new Program<ConnectCommands>("connect", context.folder), async (connecting) => {
      const load = { port, rate: RATE, connections: CONNECTIONS, topics };
      // Not measured: in its first seconds, a process is busy compiling.
      await steady.ask("publish", { ...load, seconds: context.warmupSeconds });
      const { answeredMs: stillMs } = await steady.ask("publish", { ...load, seconds });
      const paths = newPatterns().map(questionOf);
      const connects = newPatterns().map(subscriptionOf);
      const [{ answeredMs: besideMs }, { timesMs }] = await Promise.all([
        steady.ask("publish", { ...load, seconds: seconds + 1 }),
        asking.ask("askFor", { port, paths, seconds }),
        connecting.ask("connect", { port, paths: connects, rate: CONNECT_RATE, seconds, kept: KEPT }),
      ]);
      return { stillMs, besideMs, asked: timesMs.length };
    }),
  );
}

/** Patterns that the server has not seen: those that begin with a wildcard have to be looked for everywhere. */
function newPatterns(): string[] {
  return Array.from({ length: NEW_PATTERNS }, (_, index) => {
    const number = below(1e5);
    const forms = [`*${number}.sensor${below(10)}`, `site*${number}.*`, `*.*${number}*`, `site${number}*`];
    return forms[index % forms.length] ?? "*";
  });
}

function questionOf(pattern: string, index: number): string {
  const encoded = encodeURIComponent(pattern);
  return index % 3 === 2 ? `/api/topics?limit=100&pattern=${encoded}` : `/api/events/history?last=50&topic=${encoded}`;
}

function subscriptionOf(pattern: string, index: number): string {
  return `/api/events/subscribe?pattern=${encodeURIComponent(pattern)}${index % 2 === 0 ? "" : "&last=10"}`;
}
