import type { Bench, Context, Row } from "../lib/bench.ts";
import { SOCKETS } from "../lib/fan-out.ts";
import { perSecond, publisher, receiver, SMALL_EVENT } from "../lib/load.ts";
import type { Program } from "../lib/program.ts";
import { busyNote, serverBusy, type Throughput, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { mean } from "../lib/stats.ts";
import type { ReceiveCommands } from "../load/receive.ts";

const SLOW_READERS = 10;
const CONNECTIONS = 64;

export const beside: Bench = {
  name: "beside",
  title: "Live sockets beside slow readers",
  about:
    "1,000 WebSockets receive every event while 64 HTTP connections publish flat out, on one server: alone, then " +
    "beside 10 sockets that hardly read, then alone again. Frames that reach the 1,000 are counted. The control is " +
    "the mean of the two runs alone, after one more that only warms up. A slow reader must cost nothing to readers " +
    "that keep up. Readers that do read their backlog have a cost on purpose: see the bench of catching up.",
  run,
};

interface Pair {
  readonly alone: readonly [Throughput, Throughput];
  readonly beside: Throughput;
}

async function run(context: Context): Promise<readonly Row[]> {
  const { pairs } = await takeTurns(context, { pairs: () => measure(context) });
  const alone = pairs.flatMap((pair) => pair.alone);
  const crowded = pairs.map((pair) => pair.beside);
  return [
    {
      name: "fan-out to 1,000 WebSockets beside 10 slow readers",
      unit: "frames/s",
      values: perSecond(crowded),
      control: { name: "without them", values: pairs.map((pair) => mean(perSecond(pair.alone))) },
      target: { of: "ratio", is: "at least", bound: 0.9 },
      notes: [busyNote("ours", crowded), busyNote("control", alone)],
    },
  ];
}

function measure(context: Context): Promise<Pair> {
  return using(Server.eventbus(context), (server) =>
    using(receiver(context), async (live) => {
      await live.ask("open", { ...websockets(server), sockets: SOCKETS });
      const measureAlone = () => flood(context, server, () => measureLive(context, live));
      await measureAlone();
      const before = await measureAlone();
      const beside = await using(receiver(context), async (others) => {
        await others.ask("open", { ...websockets(server), sockets: SLOW_READERS, areSlow: true });
        return measureAlone();
      });
      return { alone: [before, await measureAlone()], beside };
    }),
  );
}

function measureLive({ windowSeconds }: Context, program: Program<ReceiveCommands>) {
  return program.ask("measure", { seconds: windowSeconds });
}

function websockets({ port }: Server) {
  return { port, transport: "websocket", path: "/api/events/subscribe" } as const;
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
