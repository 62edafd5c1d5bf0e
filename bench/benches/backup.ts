import type { Bench, Context, Row } from "../lib/bench.ts";
import { usingCopy } from "../lib/history-file.ts";
import { Program } from "../lib/program.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { maximum, percentile } from "../lib/stats.ts";
import type { SteadyCommands } from "../load/steady.ts";

const EVENTS = 1_000_000;
const RATE = 200;
const CONNECTIONS = 16;
const SECONDS = 15;
/** Publishing is under way before the backup begins. */
const BEFORE_MS = 1000;

export const backup: Bench = {
  name: "backup",
  title: "Publishing while a backup is made",
  about:
    "A history of 1 million events, which `GET /api/backup` copies and sends, while 200 events a second are published by " +
    "the clock, whether or not the earlier ones are acknowledged (16 connections). A wait runs from when an event is due " +
    "to its acknowledgement; a round gives its longest. The control is the same on the same history, of the same length, " +
    "without a backup.",
  run,
};

interface Waits {
  readonly timesMs: readonly number[];
  readonly bytes: number;
  readonly backupSeconds: number;
}

async function run(context: Context): Promise<readonly Row[]> {
  const events = context.isQuick ? EVENTS / 10 : EVENTS;
  const { still, copying } = await takeTurns(context, {
    still: () => measure(context, events, false),
    copying: () => measure(context, events, true),
  });
  const longest = (rounds: readonly Waits[]) => rounds.map(({ timesMs }) => maximum(timesMs));
  const timesOf = (rounds: readonly Waits[]) => rounds.flatMap(({ timesMs }) => timesMs);
  const nines = (rounds: readonly Waits[]) => percentile(timesOf(rounds), 0.999).toFixed(1);
  const control = { name: "without a backup", values: longest(still) };
  const copies = copying.map(
    ({ bytes, backupSeconds }) => `${(bytes / 1e6).toFixed(0)} MB in ${backupSeconds.toFixed(1)} s`,
  );
  return [
    {
      name: `longest wait of a publish while ${events / 1e6} million events are backed up`,
      unit: "ms",
      values: longest(copying),
      control,
      target: { of: "excess", is: "at most", bound: 50 },
      notes: [`copied: ${copies.join(", ")}`, `99.9th percentile ${nines(copying)} ms, control ${nines(still)} ms`],
      timesMs: { ours: timesOf(copying), [control.name]: timesOf(still) },
    },
  ];
}

function measure(context: Context, events: number, backsUp: boolean): Promise<Waits> {
  const seconds = context.isQuick ? SECONDS / 5 : SECONDS;
  return usingCopy(context, events, (file) =>
    using(Server.eventbus(context, ["--db", file]), (server) =>
      using(new Program<SteadyCommands>("steady", context.folder), async (program) => {
        const load = { port: server.port, rate: RATE, connections: CONNECTIONS };
        // Not measured: the first seconds of a process are its compiler's.
        await program.ask("publish", { ...load, seconds: 2 });
        const publishing = program.ask("publish", { ...load, seconds });
        await Bun.sleep(BEFORE_MS);
        const startMs = performance.now();
        const bytes = backsUp ? await download(server) : 0;
        const backupSeconds = (performance.now() - startMs) / 1000;
        if (backupSeconds > seconds) throw new Error("the backup took longer than the publishing beside it");
        return { timesMs: (await publishing).answeredMs, bytes, backupSeconds };
      }),
    ),
  );
}

async function download({ url }: Server): Promise<number> {
  const response = await fetch(`${url}/api/backup`);
  if (!response.ok) throw new Error(`the backup was refused: ${await response.text()}`);
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  return bytes;
}
