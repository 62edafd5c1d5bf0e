import type { Bench, Context, Row } from "../lib/bench.ts";
import { SOCKETS } from "../lib/fan-out.ts";
import { usingCopy } from "../lib/history-file.ts";
import { perSecond, publisher, receiver, SMALL_EVENT, type Throughput } from "../lib/load.ts";
import type { Program } from "../lib/program.ts";
import { busyNote, serverBusy, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { mean } from "../lib/stats.ts";
import type { ReceiveCommands } from "../load/receive.ts";

const EVENTS = 1_000_000;
const SLOW_READERS = 10;
const REPLAYS = 10;
const CONNECTIONS = 64;

export const beside: Bench = {
  name: "beside",
  title: "Live sockets beside slow readers and replays",
  about:
    "1,000 WebSockets get every event while 64 HTTP connections publish flat out, on one server: alone, then with 10 " +
    "sockets that hardly read and 10 that replay a million events each, then alone again. Counted are the frames that " +
    "reach the 1,000. The control is the mean of the two times alone, after one more that only warms up.",
  run,
};

interface Pair {
  readonly alone: readonly [Throughput, Throughput];
  readonly beside: Throughput & { readonly replayedPerSecond: number };
}

async function run(context: Context): Promise<readonly Row[]> {
  const { pairs } = await takeTurns(context, { pairs: () => measure(context) });
  const alone = pairs.flatMap((pair) => pair.alone);
  const crowded = pairs.map((pair) => pair.beside);
  const replayed = crowded.map(({ replayedPerSecond }) => Math.round(replayedPerSecond / 1000));
  return [
    {
      name: "fan-out to 1,000 WebSockets beside 10 slow readers and 10 replays",
      unit: "frames/s",
      values: perSecond(crowded),
      control: { name: "without them", values: pairs.map((pair) => mean(perSecond(pair.alone))) },
      target: { of: "ratio", is: "at least", bound: 0.9 },
      notes: [
        `the replays got ${replayed.join(", ")} thousand events a second in all`,
        busyNote("ours", crowded),
        busyNote("control", alone),
      ],
    },
  ];
}

function measure(context: Context): Promise<Pair> {
  return usingCopy(context, context.isQuick ? EVENTS / 10 : EVENTS, (file) =>
    using(Server.eventbus(context, ["--db", file]), (server) =>
      using(receiver(context), async (live) => {
        await live.ask("open", { ...websockets(server), sockets: SOCKETS });
        const measureAlone = () => flood(context, server, () => measureLive(context, live));
        await measureAlone();
        const before = await measureAlone();
        const beside = await using(receiver(context), (others) => measureBeside(context, server, live, others));
        return { alone: [before, await measureAlone()], beside };
      }),
    ),
  );
}

async function measureBeside(
  context: Context,
  server: Server,
  live: Program<ReceiveCommands>,
  others: Program<ReceiveCommands>,
): Promise<Pair["beside"]> {
  await others.ask("open", { ...websockets(server), sockets: SLOW_READERS, areSlow: true });
  let replayedPerSecond = 0;
  const crowded = await flood(context, server, async () => {
    await others.ask("open", { ...websockets(server, "?since=all"), sockets: REPLAYS });
    const counting = measureLive(context, others);
    const result = await measureLive(context, live);
    replayedPerSecond = (await counting).eventsPerSecond;
    return result;
  });
  return { ...crowded, replayedPerSecond };
}

function measureLive({ windowSeconds }: Context, program: Program<ReceiveCommands>) {
  return program.ask("measure", { seconds: windowSeconds });
}

function websockets({ port }: Server, query = "") {
  return { port, transport: "websocket", path: `/api/events/subscribe${query}` } as const;
}

/** Measures while the server is published to flat out. */
function flood(
  context: Context,
  server: Server,
  measured: () => Promise<{ eventsPerSecond: number; generatorBusy: number }>,
): Promise<Throughput> {
  const { warmupSeconds, windowSeconds } = context;
  return using(publisher(context), async (program) => {
    const seconds = warmupSeconds + windowSeconds + 1;
    const load = { port: server.port, connections: CONNECTIONS, body: SMALL_EVENT };
    const publishing = program.ask("publish", { ...load, warmupSeconds: 0, windowSeconds: seconds });
    const [result, busy] = await Promise.all([
      Bun.sleep(warmupSeconds * 1000).then(measured),
      serverBusy(server, context),
    ]);
    await publishing;
    return { ...result, serverBusy: busy };
  });
}
