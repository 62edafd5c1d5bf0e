import { join } from "node:path";
import type { Bench, Context, Row } from "../lib/bench.ts";
import { fill, setConsumer } from "../lib/consumers.ts";
import { perSecond, publishTo, SMALL_EVENT } from "../lib/load.ts";
import { Program } from "../lib/program.ts";
import { busyNote, serverBusy, type Throughput, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { percentile } from "../lib/stats.ts";
import { HttpConnection } from "../load/http-connection.ts";
import type { PushCommands } from "../load/push.ts";
import { httpRequest } from "../load/requests.ts";
import type { SteadyCommands } from "../load/steady.ts";

const UNSETTLED = 100_000;
/** Deliveries that one call takes. */
const TAKEN = 1000;
const IDLE = 1000;
const PUBLISHERS = 64;
const RATE = 1000;
const CONNECTIONS = 16;
/** The highest rate that is expected: the backlog to push lasts for the measurement at this rate. */
const PUSHES_PER_SECOND = 30_000;

export const consumers: Bench = {
  name: "consumers",
  title: "Consumers beside others, and pushing",
  about:
    `First, HTTP publishing (${PUBLISHERS} connections) beside ${IDLE.toLocaleString("en")} consumers that no worker takes ` +
    "from, each of a pattern of its own that matches none of the events; the control is the same without them. Then a " +
    `consumer that pushes a backlog to a local receiver, eight requests at a time; the control is a loop that signs ` +
    "and fetches (`bench/controls/bare-push.ts`). Then the 99th percentile of the time from publishing to " +
    `delivery at ${RATE.toLocaleString("en")} events/s, to a worker that waits on a WebSocket; the control is a ` +
    "subscriber. The last rows are of a worker that takes 100,000 events, acknowledges the newer half of them, and takes as " +
    "many again: how much memory the server grows by, and how long it takes to start after a kill.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  const { alone, idle, bare, pushed, subscriber, worker, unsettled } = await takeTurns(context, {
    alone: () => publishBeside(context, 0),
    idle: () => publishBeside(context, IDLE),
    bare: () => push(context, Server.control(context, "bare-push"), startLoop),
    pushed: () => push(context, Server.eventbus(context), (server, url) => startPushing(context, server, url)),
    subscriber: () => deliver(context, { subscribePath: "/api/events/subscribe" }),
    worker: () => deliver(context, { consumer: "bench" }),
    unsettled: () => leaveUnsettled(context),
  });
  const nines = (rounds: readonly number[][]) => rounds.map((timesMs) => percentile(timesMs, 0.99));
  return [
    {
      name: "HTTP publish, 64 connections, beside 1,000 idle consumers, each of its own pattern",
      unit: "events/s",
      values: perSecond(idle),
      control: { name: "without them", values: perSecond(alone) },
      target: { of: "ratio", is: "at least", bound: 0.95 },
      notes: [busyNote("ours", idle), busyNote("control", alone)],
    },
    {
      name: "push to a local receiver, 8 requests at a time",
      unit: "events/s",
      values: perSecond(pushed),
      control: { name: "a bare loop of signed fetches", values: perSecond(bare) },
      target: { of: "ratio", is: "at least", bound: 0.5 },
      notes: [busyNote("ours", pushed), busyNote("control", bare)],
    },
    {
      name: "publish to delivery to a waiting worker at 1,000 events/s, 99th percentile",
      unit: "ms",
      values: nines(worker),
      control: { name: "a subscriber", values: nines(subscriber) },
      target: { of: "excess", is: "at most", bound: 2 },
      notes: [],
    },
    {
      name: "memory of 100,000 events of one consumer that are not acknowledged",
      unit: "MB",
      values: unsettled.map(({ megabytes }) => megabytes),
      target: { of: "value", is: "at most", bound: 50 },
      notes: [],
    },
    {
      name: "start after a kill with 100,000 events that were not acknowledged",
      unit: "ms",
      values: unsettled.map(({ startMs }) => startMs),
      target: { of: "value", is: "at most", bound: 1000 },
      notes: [],
    },
  ];
}

function publishBeside(context: Context, idle: number): Promise<Throughput> {
  return using(Server.eventbus(context), async (server) => {
    for (let one = 0; one < idle; one++) await setConsumer(server, `idle${one}`, { pattern: [`nothing${one}.*`] });
    return publishTo(context, server, PUBLISHERS, SMALL_EVENT);
  });
}

async function push(
  context: Context,
  opening: Promise<Server>,
  start: (server: Server, url: string) => Promise<unknown>,
): Promise<Throughput> {
  const { warmupSeconds, windowSeconds } = context;
  return using(opening, (server) =>
    using(new Program<PushCommands>("push", context.folder), async (program) => {
      await start(server, await program.ask("url"));
      const [result, busy] = await Promise.all([
        Bun.sleep(warmupSeconds * 1000).then(() => program.ask("measure", { seconds: windowSeconds })),
        serverBusy(server, context),
      ]);
      return { ...result, serverBusy: busy };
    }),
  );
}

async function startPushing({ warmupSeconds, windowSeconds }: Context, server: Server, url: string): Promise<void> {
  await fill(server, (warmupSeconds + windowSeconds) * PUSHES_PER_SECOND);
  await setConsumer(server, "bench", { order: "none", since: "all", push: { url, concurrency: 8 } });
}

function startLoop(server: Server, url: string): Promise<unknown> {
  return fetch(server.url, { method: "POST", body: url });
}

function deliver(
  context: Context,
  to: { readonly subscribePath?: string; readonly consumer?: string },
): Promise<number[]> {
  return using(Server.eventbus(context), (server) =>
    using(new Program<SteadyCommands>("steady", context.folder), async (program) => {
      await setConsumer(server, "bench", { order: "none" });
      const options = { port: server.port, rate: RATE, connections: CONNECTIONS, ...to };
      await program.ask("publish", { ...options, seconds: context.warmupSeconds });
      const { deliveredMs, answeredMs } = await program.ask("publish", { ...options, seconds: context.windowSeconds });
      if (deliveredMs.length < answeredMs.length) throw new Error("not every event was delivered");
      return deliveredMs;
    }),
  );
}

/** The newer half is acknowledged and taken again, so that the place stays where it began. */
async function leaveUnsettled(context: Context): Promise<{ readonly megabytes: number; readonly startMs: number }> {
  const flags = ["--db", join(context.folder, `unsettled-${Bun.randomUUIDv7()}.db`)];
  const megabytes = await using(Server.eventbus(context, flags), async (server) => {
    await fill(server, UNSETTLED * 2);
    await setConsumer(server, "bench", { order: "none", since: "all", max_in_flight: UNSETTLED, ack_timeout: "1h" });
    const before = server.residentBytes();
    const path = "/api/consumers/bench";
    const connection = await HttpConnection.open(server.port, { wantsBody: true });
    const take = async (calls: number) => {
      const names: string[] = [];
      for (let call = 0; call < calls; call++) {
        const text = (await connection.ask(httpRequest("POST", `${path}/take?max=${TAKEN}`)))?.toString() ?? "";
        names.push(...Array.from(text.matchAll(/"delivery":("[^"]+"),"attempt"/g), ([, name]) => name ?? ""));
      }
      return names;
    };
    const names = await take(UNSETTLED / TAKEN);
    if (names.length !== UNSETTLED) throw new Error(`${names.length} deliveries are out`);
    for (let first = UNSETTLED / 2; first < UNSETTLED; first += TAKEN) {
      const body = `{"deliveries":[${names.slice(first, first + TAKEN).join(",")}]}`;
      await connection.ask(httpRequest("POST", `${path}/ack`, { body }));
    }
    await take(UNSETTLED / 2 / TAKEN);
    const megabytes = (server.residentBytes() - before) / 1e6;
    connection.close();
    await server.kill();
    return megabytes;
  });
  const begunMs = performance.now();
  return using(Server.eventbus(context, flags), async () => ({ megabytes, startMs: performance.now() - begunMs }));
}
