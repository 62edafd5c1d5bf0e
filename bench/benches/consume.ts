import type { Bench, Context, Row } from "../lib/bench.ts";
import { fill, setConsumer } from "../lib/consumers.ts";
import { perSecond, publishTo, SMALL_EVENT } from "../lib/load.ts";
import { Program } from "../lib/program.ts";
import { busyNote, serverBusy, type Throughput, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import type { ConsumeCommands } from "../load/consume.ts";

const SOCKETS = 8;
const CALLERS = 4;
/** Outstanding deliveries at each socket; over HTTP, those of each call. */
const CREDIT = 100;
const PUBLISHERS = 64;
/** The highest rate that is expected: the backlog lasts for the measurement at this rate. One that ends sooner fails it. */
const BACKLOG_PER_SECOND = 300_000;

export const consume: Bench = {
  name: "consume",
  title: "A consumer and its workers",
  about:
    `Workers share a backlog of small events (100 bytes of data, 1,000 topics): ${SOCKETS} WebSockets with a credit of ` +
    `${CREDIT}, each of which acknowledges every event by a frame of its own, by each order; and ${CALLERS} HTTP ` +
    `connections that take and acknowledge ${CREDIT} events a call. The last rows publish over HTTP (${PUBLISHERS} ` +
    "connections, as in the bench of HTTP publish) while eight WebSockets work for the same events; the control is " +
    "the same without them.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const sockets = { transport: "websocket", takers: SOCKETS } as const;
  const { none, topic, http, alone, beside } = await takeTurns(context, {
    none: () => drain(context, "none", sockets),
    topic: () => drain(context, "topic", sockets),
    http: () => drain(context, "none", { transport: "http", takers: CALLERS }),
    alone: () => using(Server.eventbus(context), (server) => publishTo(context, server, PUBLISHERS, SMALL_EVENT)),
    beside: () => publishBeside(context),
  });
  const row = (name: string, rounds: readonly Throughput[], bound: number): Row => ({
    name,
    unit: "events/s",
    values: perSecond(rounds),
    target: { of: "value", is: "at least", bound },
    notes: [busyNote("ours", rounds)],
  });
  return [
    row("8 WebSockets share a backlog, each event acknowledged by itself, order none", none, 40_000),
    row("8 WebSockets share a backlog, each event acknowledged by itself, order topic", topic, 30_000),
    row("4 HTTP connections take and acknowledge 100 events a call", http, 50_000),
    {
      name: "HTTP publish, 64 connections, while 8 WebSockets work for the same events",
      unit: "events/s",
      values: perSecond(beside),
      control: { name: "without them", values: perSecond(alone) },
      target: { of: "ratio", is: "at least", bound: 0.8 },
      notes: [
        busyNote("ours", beside),
        busyNote("control", alone),
        `consumed meanwhile: ${beside.map(({ consumedPerSecond }) => Math.round(consumedPerSecond)).join(", ")} events/s`,
      ],
    },
  ];
}

interface Workers {
  readonly transport: "websocket" | "http";
  readonly takers: number;
}

/** How fast the workers take what waits. */
function drain(context: Context, order: string, workers: Workers): Promise<Throughput> {
  const { warmupSeconds, windowSeconds } = context;
  return using(Server.eventbus(context), async (server) => {
    const backlog = (warmupSeconds + windowSeconds) * BACKLOG_PER_SECOND;
    await fill(server, backlog);
    await setConsumer(server, "bench", { order, since: "all" });
    return using(new Program<ConsumeCommands>("consume", context.folder), async (program) => {
      await program.ask("open", { port: server.port, consumer: "bench", credit: CREDIT, ...workers });
      const [result, busy] = await Promise.all([
        Bun.sleep(warmupSeconds * 1000).then(() => program.ask("measure", { seconds: windowSeconds })),
        serverBusy(server, context),
      ]);
      if (result.acknowledged >= backlog) throw new Error(`the backlog of ${backlog} events did not last`);
      return { ...result, serverBusy: busy };
    });
  });
}

/** How fast events are published while workers take them. */
function publishBeside(context: Context): Promise<Throughput & { readonly consumedPerSecond: number }> {
  const { warmupSeconds, windowSeconds } = context;
  return using(Server.eventbus(context), async (server) => {
    await setConsumer(server, "bench", {});
    return using(new Program<ConsumeCommands>("consume", context.folder), async (program) => {
      const workers = { transport: "websocket", takers: SOCKETS } as const;
      await program.ask("open", { port: server.port, consumer: "bench", credit: CREDIT, ...workers });
      const [published, { eventsPerSecond }] = await Promise.all([
        publishTo(context, server, PUBLISHERS, SMALL_EVENT),
        Bun.sleep(warmupSeconds * 1000).then(() => program.ask("measure", { seconds: windowSeconds })),
      ]);
      return { ...published, consumedPerSecond: eventsPerSecond };
    });
  });
}
