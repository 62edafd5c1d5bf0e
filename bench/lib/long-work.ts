import type { SteadyCommands } from "../load/steady.ts";
import type { Bench, Context, Row } from "./bench.ts";
import { usingCopy } from "./history-file.ts";
import { Program } from "./program.ts";
import { takeTurns, using } from "./rounds.ts";
import { Server } from "./server.ts";
import { maximum, percentile } from "./stats.ts";

const EVENTS = 1_000_000;
const RATE = 200;
const CONNECTIONS = 16;
const SECONDS = 15;
/** Publishing is under way before the work begins. */
const BEFORE_MS = 1000;

/** What a server does for seconds, while others publish. */
export interface LongWork {
  readonly name: string;
  readonly title: string;
  /** What it does with a history of 1 million events: a relative clause. */
  readonly clause: string;
  /** In three forms: "a backup", "backed up", "copied". */
  readonly noun: string;
  readonly participle: string;
  readonly note: string;
  /** Of the server, besides `--db`. */
  readonly flags: readonly string[];
  /** How much longer than without the work a publisher may wait, in milliseconds. */
  readonly maxExcessMs: number;
  /** Does it, and returns how much was done. */
  run(server: Server): Promise<string>;
}

interface Waits {
  readonly timesMs: readonly number[];
  /** How much was done, and in what time. */
  readonly done: string;
}

/** The bench of how long publishers wait beside such work: they publish by the clock, so that every wait counts. */
export function benchBeside(work: LongWork): Bench {
  return {
    name: work.name,
    title: work.title,
    about:
      `A history of 1 million events, ${work.clause}, while ${RATE} events a second are published by the clock, whether or ` +
      `not earlier ones are acknowledged (${CONNECTIONS} connections). A wait runs from when an event is due to its ` +
      "acknowledgement; a round gives its longest. The control is the same on the same history, of the same length, " +
      `without ${work.noun}.`,
    run: (context) => run(context, work),
  };
}

async function run(context: Context, work: LongWork): Promise<readonly Row[]> {
  const events = context.isQuick ? EVENTS / 10 : EVENTS;
  const { still, working } = await takeTurns(context, {
    still: () => measure(context, events, work.flags, async () => ""),
    working: () => measure(context, events, work.flags, work.run),
  });
  const timesOf = (rounds: readonly Waits[]) => rounds.flatMap(({ timesMs }) => timesMs);
  const longest = (rounds: readonly Waits[]) => rounds.map(({ timesMs }) => maximum(timesMs));
  const nines = (rounds: readonly Waits[]) => percentile(timesOf(rounds), 0.999).toFixed(1);
  const control = { name: `without ${work.noun}`, values: longest(still) };
  return [
    {
      name: `longest wait of a publish while ${events / 1e6} million events are ${work.participle}`,
      unit: "ms",
      values: longest(working),
      control,
      target: { of: "excess", is: "at most", bound: work.maxExcessMs },
      notes: [
        `${work.note}: ${working.map(({ done }) => done).join(", ")}`,
        `99.9th percentile ${nines(working)} ms, control ${nines(still)} ms`,
      ],
      timesMs: { ours: timesOf(working), [control.name]: timesOf(still) },
    },
  ];
}

function measure(
  context: Context,
  events: number,
  flags: readonly string[],
  work: (server: Server) => Promise<string>,
): Promise<Waits> {
  const seconds = context.isQuick ? SECONDS / 5 : SECONDS;
  return usingCopy(context, events, (file) =>
    using(Server.eventbus(context, ["--db", file, ...flags]), (server) =>
      using(new Program<SteadyCommands>("steady", context.folder), async (program) => {
        const load = { port: server.port, rate: RATE, connections: CONNECTIONS };
        // Not measured: in its first seconds, a process is busy compiling.
        await program.ask("publish", { ...load, seconds: 2 });
        const publishing = program.ask("publish", { ...load, seconds });
        await Bun.sleep(BEFORE_MS);
        const startMs = performance.now();
        const amount = await work(server);
        const tookSeconds = (performance.now() - startMs) / 1000;
        if (tookSeconds > seconds) throw new Error("the work took longer than the publishing beside it");
        return { timesMs: (await publishing).answeredMs, done: `${amount} in ${tookSeconds.toFixed(1)} s` };
      }),
    ),
  );
}
