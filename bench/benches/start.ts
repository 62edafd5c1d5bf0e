import type { Bench, Context, Row } from "../lib/bench.ts";
import { buildControl } from "../lib/build.ts";
import { timeToFirstAnswer } from "../lib/first-answer.ts";
import { preparedHistory } from "../lib/history-file.ts";
import { takeTurns } from "../lib/rounds.ts";
import { serveArguments } from "../lib/server.ts";
import { median } from "../lib/stats.ts";

const EVENTS = 3_000_000;
const STARTS = 7;

export const start: Bench = {
  name: "start",
  title: "Start",
  about:
    "From starting the compiled program on a history of 3 million events (in the page cache) until it has answered " +
    "`GET /api/events/history?last=1`, asked again each millisecond; a round gives the median of 7 starts. The control is " +
    "a bare `Bun.serve`, compiled the same way: what the runtime needs before any of ours runs. The time with an empty " +
    "history is told beside it.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const events = context.isQuick ? EVENTS / 10 : EVENTS;
  const file = await preparedHistory(context, events);
  const bareBinary = await buildControl("bare-publish", context.folder);
  const starts = async (argv: (port: number) => string[], path: string) => {
    const timesMs: number[] = [];
    for (let count = 0; count < STARTS; count++) timesMs.push(await timeToFirstAnswer(context, argv, path));
    return median(timesMs);
  };
  const ours = (db: string) => (port: number) => [
    context.binary,
    ...serveArguments(port, context.folder, ["--db", db]),
  ];
  const path = "/api/events/history?last=1";
  const { bare, empty, full } = await takeTurns(context, {
    bare: () => starts((port) => [bareBinary, String(port)], "/"),
    empty: () => starts(ours(":memory:"), path),
    full: () => starts(ours(file), path),
  });
  return [
    {
      name: `start with ${events / 1e6} million events to the first answer`,
      unit: "ms",
      values: full,
      control: { name: "bare Bun.serve, compiled", values: bare },
      target: { of: "value", is: "at most", bound: 250 },
      notes: [`with an empty history ${median(empty).toFixed(0)} ms`],
    },
  ];
}
