import type { Bench, Context, Row } from "../lib/bench.ts";
import { usingCopy } from "../lib/history-file.ts";
import { takeTurns } from "../lib/rounds.ts";
import { runScript, type ScriptRow } from "../lib/script.ts";
import { maximum, median } from "../lib/stats.ts";
import { show } from "../lib/verdict.ts";

const TOPICS = 1_000_000;
const EVENTS_EACH = 2;
/** For each kind: there are more than thirty. */
const SECONDS = 1.5;
const QUICK_SECONDS = 0.3;
const MAX_MS = 10;

export const holds: Bench = {
  name: "holds",
  title: "The longest turn of the loop",
  about:
    "A history of 2 million events of 1,000,000 topics is asked questions of one kind after another " +
    "(`bench/holds.bench.ts`): pages of history and of topics, by a literal topic, a prefix and patterns that begin with " +
    "a wildcard, until a time, oldest first; statistics; and subscriptions that begin in the past, with and without the " +
    "scope of a token. Each question is a new one. One connection asks, then twenty at once; 20 WebSockets a second " +
    "subscribe. Measured is the longest turn of the event loop, in processor time where that is less. The figure is " +
    "that of the worst kind; nothing else has to wait longer than this for a question of another client.",
  run,
};

/** The rows, by what the names of their kinds begin with. */
const GROUPS = {
  "pages of history": "history,",
  "pages of topics": "topics,",
  statistics: "stats",
  "subscriptions that begin in the past": "subscribe,",
} as const;

async function run(context: Context): Promise<readonly Row[]> {
  const topics = context.isQuick ? TOPICS / 10 : TOPICS;
  const seconds = String(context.isQuick ? QUICK_SECONDS : SECONDS);
  const { rounds } = await takeTurns(context, {
    rounds: () =>
      usingCopy(
        context,
        topics * EVENTS_EACH,
        (file) => runScript(context, "holds", ["--history", file, "--seconds", seconds]),
        { topics, sources: 0 },
      ),
  });
  return Object.entries(GROUPS).map(([name, prefix]) =>
    rowOf(
      name,
      rounds.map((rows) => kindsOf(rows, prefix)),
    ),
  );
}

function kindsOf(rows: readonly ScriptRow[], prefix: string): readonly ScriptRow[] {
  return rows.filter(({ name }) => name.startsWith(prefix));
}

function rowOf(name: string, rounds: readonly (readonly ScriptRow[])[]): Row {
  const kinds = (rounds[0] ?? []).map((row) => row.name);
  const valuesOf = (kind: string) =>
    rounds.flatMap((rows) => rows.filter((row) => row.name === kind).map(({ value }) => value));
  return {
    name: `longest turn of the loop beside ${name}`,
    unit: "ms",
    values: rounds.map((rows) => maximum(rows.map(({ value }) => value))),
    target: { of: "value", is: "at most", bound: MAX_MS },
    notes: kinds.map((kind) => `${kind}: ${show(median(valuesOf(kind)))} ms`),
  };
}
