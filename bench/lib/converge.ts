import type { FollowCommands, Followed, ReaderOptions } from "../load/follow.ts";
import type { SteadyCommands } from "../load/steady.ts";
import type { Context, Row } from "./bench.ts";
import { publisher, SMALL_EVENT } from "./load.ts";
import { Program } from "./program.ts";
import { percent, using } from "./rounds.ts";
import type { Server } from "./server.ts";
import { maximum, median } from "./stats.ts";
import { show } from "./verdict.ts";

/** Publishers reach their speed before the readers come. */
const AHEAD_MS = 1000;
/** Readers with a pattern of their own that are compared with the history, which takes a question each. */
const COMPARED = 100;
/** Enough that a server which is busy with others does not slow down publishing by the clock. */
const CLOCK_CONNECTIONS = 64;

/** Readers on their way to the head, and the publishers beside them. */
export interface Converged extends Followed {
  readonly publishedPerSecond: number;
  readonly publisherBusy: number;
}

/** Publishers that run from `begin` to `end`. */
export interface Publishing {
  begin(): Promise<void>;
  end(): Promise<{ readonly published: number; readonly busy: number }>;
  stop(): Promise<void>;
}

export interface Convergence {
  /** The readers, by the newest id when they come. */
  readonly readers: (head: number) => readonly ReaderOptions[];
  readonly publishing: Publishing;
  /** When it is given up. */
  readonly maxSeconds: number;
  /** Called when the publishers have reached their speed, before the readers come. */
  readonly ready?: () => Promise<void>;
}

/** Lets the readers resume beside the publishers, until all are live or the time is over. */
export function converge(
  context: Context,
  server: Server,
  { readers, publishing, maxSeconds, ready }: Convergence,
): Promise<Converged> {
  return using(publishing, () =>
    using(new Program<FollowCommands>("follow", context.folder), async (program) => {
      const startMs = performance.now();
      await publishing.begin();
      await Bun.sleep(AHEAD_MS);
      await ready?.();
      const options = { port: server.port, readers: readers(await newestId(server)), compared: COMPARED, maxSeconds };
      const followed = await program.ask("follow", options);
      const seconds = (performance.now() - startMs) / 1000;
      const { published, busy } = await publishing.end();
      return { ...followed, publishedPerSecond: published / seconds, publisherBusy: busy };
    }),
  );
}

async function newestId({ url }: Server): Promise<number> {
  const answer = await fetch(`${url}/api/events/history?last=1`);
  const [event] = (await answer.json()) as { id: number }[];
  return event?.id ?? 0;
}

/** Nothing is published. */
export const quiet: Publishing = {
  begin: async () => {},
  end: async () => ({ published: 0, busy: 0 }),
  stop: async () => {},
};

/** Publishes as fast as the server acknowledges, this many events in each request. */
export function flatOut(context: Context, { port }: Server, connections: number, events: number): Publishing {
  const program = publisher(context);
  return {
    begin: () => program.ask("begin", { port, connections, body: { ...SMALL_EVENT, events } }),
    end: async () => {
      const { eventsInAll, generatorBusy } = await program.ask("end");
      return { published: eventsInAll, busy: generatorBusy };
    },
    stop: () => program.stop(),
  };
}

/** Publishes this many events a second by the clock, to topics at random. */
export function byTheClock(context: Context, { port }: Server, rate: number, topics: number): Publishing {
  const program = new Program<SteadyCommands>("steady", context.folder);
  return {
    begin: () => program.ask("begin", { port, rate, topics, connections: CLOCK_CONNECTIONS }),
    end: async () => {
      const { answeredMs, generatorBusy } = await program.ask("end");
      return { published: answeredMs.length, busy: generatorBusy };
    },
    stop: () => program.stop(),
  };
}

export interface LiveRow {
  readonly name: string;
  readonly rounds: readonly Converged[];
  /** The same with nothing published. */
  readonly control: readonly Converged[];
  readonly sockets: number;
  /** Seconds that it may take. */
  readonly bound: number;
  /** When it was given up. */
  readonly maxSeconds: number;
  readonly notes?: readonly string[];
}

/** The row of the time from the first connect until the last socket is live. */
export function liveRow({ name, rounds, control, sockets, bound, maxSeconds, notes = [] }: LiveRow): Row {
  const [course, pace] = [courseNote(rounds, sockets), paceNote(rounds)];
  return {
    name,
    unit: "s",
    values: secondsOf(rounds),
    control: { name: "nothing published", values: secondsOf(control) },
    target: { of: "value", is: "at most", bound },
    notes: [...unfinishedNote(rounds, sockets, maxSeconds), course, pace, ...notes],
  };
}

function secondsOf(rounds: readonly Followed[]): number[] {
  return rounds.map(({ seconds }) => seconds);
}

/** What the generators did, in words: both have one core, and near all of it they are the limit. */
function paceNote(rounds: readonly Converged[]): string {
  const middle = (of: (round: Converged) => number) => median(rounds.map(of));
  return (
    `${show(middle(({ publishedPerSecond }) => publishedPerSecond))} events/s were published, ` +
    `${show(middle(({ eventsPerSecond }) => eventsPerSecond))} frames/s were read; of their core the publishers used ` +
    `${percent(middle(({ publisherBusy }) => publisherBusy))}, the readers ${percent(middle(({ generatorBusy }) => generatorBusy))}`
  );
}

/** The slowest round second by second, in words. */
function courseNote(rounds: readonly Followed[], sockets: number): string {
  const slowest = rounds.find(({ seconds }) => seconds === maximum(secondsOf(rounds)));
  const lags = (slowest?.lags ?? []).map(show).join(", ");
  const live = sockets === 1 ? "" : `; live were ${(slowest?.live ?? []).map(show).join(", ")}`;
  return `the slowest round: the socket furthest behind was ${lags} events behind, second by second${live}`;
}

/** Says that readers did not all come to the head in the time that they had; empty when they did. */
function unfinishedNote(rounds: readonly Followed[], sockets: number, maxSeconds: number): readonly string[] {
  const unfinished = rounds.filter(({ live }) => (live.at(-1) ?? 0) < sockets).length;
  return unfinished === 0
    ? []
    : [`in ${unfinished} of ${rounds.length} rounds not all were live after ${maxSeconds} s, when it was given up`];
}
