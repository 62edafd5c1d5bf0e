import type { Bench, Context, Row } from "../lib/bench.ts";
import { usingCopy } from "../lib/history-file.ts";
import { Program } from "../lib/program.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { maximum, percentile } from "../lib/stats.ts";
import type { SteadyCommands } from "../load/steady.ts";

const EVENTS = 1_000_000;
const KEPT = 1000;
const RATE = 200;
const CONNECTIONS = 16;
const SECONDS = 15;
/** Publishing is under way before pruning begins. */
const BEFORE_MS = 1000;

export const retention: Bench = {
  name: "retention",
  title: "Publishing while old events are pruned",
  about:
    "A history of 1 million events, of which `POST /api/events/prune` keeps the newest 1,000, while 200 events a second are " +
    "published by the clock, whether or not the earlier ones are acknowledged (16 connections). A wait runs from when an " +
    "event is due to its acknowledgement; a round gives its longest. The control is the same on the same history, of the " +
    "same length, without pruning.",
  run,
};

interface Waits {
  readonly timesMs: readonly number[];
  readonly pruned: number;
  readonly pruneSeconds: number;
}

async function run(context: Context): Promise<readonly Row[]> {
  const events = context.isQuick ? EVENTS / 10 : EVENTS;
  const { still, pruning } = await takeTurns(context, {
    still: () => measure(context, events, false),
    pruning: () => measure(context, events, true),
  });
  const longest = (rounds: readonly Waits[]) => rounds.map(({ timesMs }) => maximum(timesMs));
  const nines = (rounds: readonly Waits[]) =>
    percentile(
      rounds.flatMap(({ timesMs }) => timesMs),
      0.999,
    ).toFixed(1);
  const control = { name: "without pruning", values: longest(still) };
  const prunes = pruning.map(({ pruned, pruneSeconds }) => `${pruned} events in ${pruneSeconds.toFixed(1)} s`);
  return [
    {
      name: `longest wait of a publish while ${events / 1e6} million events are pruned`,
      unit: "ms",
      values: longest(pruning),
      control,
      target: { of: "excess", is: "at most", bound: 25 },
      notes: [`pruned: ${prunes.join(", ")}`, `99.9th percentile ${nines(pruning)} ms, control ${nines(still)} ms`],
      timesMs: {
        ours: pruning.flatMap(({ timesMs }) => timesMs),
        [control.name]: still.flatMap(({ timesMs }) => timesMs),
      },
    },
  ];
}

function measure(context: Context, events: number, prunes: boolean): Promise<Waits> {
  const seconds = context.isQuick ? SECONDS / 5 : SECONDS;
  return usingCopy(context, events, (file) => {
    const flags = ["--db", file, "--max-history", String(KEPT), "--prune-interval", "24h"];
    return using(Server.eventbus(context, flags), (server) =>
      using(new Program<SteadyCommands>("steady", context.folder), async (program) => {
        const load = { port: server.port, rate: RATE, connections: CONNECTIONS };
        // Not measured: the first seconds of a process are its compiler's.
        await program.ask("publish", { ...load, seconds: 2 });
        const publishing = program.ask("publish", { ...load, seconds });
        await Bun.sleep(BEFORE_MS);
        const startMs = performance.now();
        const pruned = prunes ? await prune(server) : 0;
        const pruneSeconds = (performance.now() - startMs) / 1000;
        if (pruneSeconds > seconds) throw new Error("pruning took longer than the publishing beside it");
        return { timesMs: (await publishing).answeredMs, pruned, pruneSeconds };
      }),
    );
  });
}

async function prune({ url }: Server): Promise<number> {
  const answer = await fetch(`${url}/api/events/prune`, { method: "POST" });
  return ((await answer.json()) as { pruned: number }).pruned;
}
