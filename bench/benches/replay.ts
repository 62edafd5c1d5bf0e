import type { Bench, Context, Row } from "../lib/bench.ts";
import { usingCopy } from "../lib/history-file.ts";
import { receiver } from "../lib/load.ts";
import { Program } from "../lib/program.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { percentile } from "../lib/stats.ts";
import type { SteadyCommands } from "../load/steady.ts";

const EVENTS = 3_000_000;
const EVENT_BYTES = 210;
const SUBSCRIBE_PATH = "/api/events/subscribe";
const LIVE_RATE = 200;
const LIVE_SECONDS = 5;
/** The replay is under way before the live events are timed. */
const REPLAY_AHEAD_MS = 300;

export const replay: Bench = {
  name: "replay",
  title: "Replay beside live events",
  about:
    "One WebSocket replays 3 million events (`since=all`), in order and without a gap, while 200 events/s are " +
    "published and another WebSocket receives them live. Measured are the events per second of the replay and the " +
    "time from publish to live delivery during it. Controls: a bare `ws.send` loop of constants of the same size, " +
    "250 at a time as the socket drains; and the live path without a replay.",
  run,
};

interface Replayed {
  readonly eventsPerSecond: number;
  readonly liveMs: readonly number[];
}

async function run(context: Context): Promise<readonly Row[]> {
  const events = context.isQuick ? EVENTS / 10 : EVENTS;
  const { bare, alone, beside } = await takeTurns(context, {
    bare: () => measureBare(context, events),
    alone: () => measure(context, events, false),
    beside: () => measure(context, events, true),
  });
  const nines = (rounds: readonly Replayed[]) => rounds.map(({ liveMs }) => percentile(liveMs, 0.99));
  return [
    {
      name: "replay to one WebSocket",
      unit: "events/s",
      values: beside.map(({ eventsPerSecond }) => eventsPerSecond),
      control: { name: "bare ws.send loop", values: bare },
      target: { of: "value", is: "at least", bound: 200_000 },
      notes: ["every event arrived, in order"],
    },
    {
      name: "live delivery during the replay, 99th percentile",
      unit: "ms",
      values: nines(beside),
      control: { name: "without a replay", values: nines(alone) },
      target: { of: "value", is: "at most", bound: 20 },
      notes: [],
      timesMs: {
        ours: beside.flatMap(({ liveMs }) => liveMs),
        "without a replay": alone.flatMap(({ liveMs }) => liveMs),
      },
    },
  ];
}

function measureBare(context: Context, events: number): Promise<number> {
  const control = Server.control(context, "bare-replay", String(events), String(EVENT_BYTES));
  return using(control, async (server) => (await measureReplay(context, server, "/", events)).eventsPerSecond);
}

function measure(context: Context, events: number, replays: boolean): Promise<Replayed> {
  return usingCopy(context, events, (file) =>
    using(Server.eventbus(context, ["--db", file]), (server) =>
      using(new Program<SteadyCommands>("steady", context.folder), async (program) => {
        const live = { port: server.port, rate: LIVE_RATE, connections: 8, subscribePath: SUBSCRIBE_PATH };
        await program.ask("publish", { ...live, seconds: 1 });
        const replaying = replays
          ? measureReplay(context, server, `${SUBSCRIBE_PATH}?since=all`, events)
          : Promise.resolve({ eventsPerSecond: 0 });
        await Bun.sleep(REPLAY_AHEAD_MS);
        const seconds = context.isQuick ? LIVE_SECONDS / 5 : LIVE_SECONDS;
        const { deliveredMs } = await program.ask("publish", { ...live, seconds });
        return { ...(await replaying), liveMs: deliveredMs };
      }),
    ),
  );
}

function measureReplay(context: Context, server: Server, path: string, events: number) {
  return using(receiver(context), async (program) => {
    await program.ask("open", { port: server.port, transport: "websocket", path, sockets: 1 });
    const result = await program.ask("until", { events });
    if (result.disorder !== "") throw new Error(`a replay came out of order: ${result.disorder}`);
    return result;
  });
}
