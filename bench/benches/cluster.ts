import { type Bench, type Context, type Row, Skipped } from "../lib/bench.ts";
import { BenchCluster, natsPath, openNats } from "../lib/cluster.ts";
import { deliveryNote, type FanOut, fanOutOf, measureFanOut } from "../lib/fan-out.ts";
import { measurePublish, perSecond, publishTo, SMALL_EVENT } from "../lib/load.ts";
import { Program } from "../lib/program.ts";
import { busyNote, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import { percentile } from "../lib/stats.ts";
import type { JetStreamCommands } from "../load/jetstream.ts";
import type { SteadyCommands } from "../load/steady.ts";
import { jetStream, measurePeer } from "./peers.ts";

const CONNECTIONS = 64;
const RATE = 1000;
const STEADY_CONNECTIONS = 16;
const NODES = 3;
const SOCKETS = 500;
const SUBSCRIBERS = { transport: "websocket", path: "/api/events/subscribe", events: 1 } as const;
const LINES = 10_000;
const BACKLOG = 1_000_000;
const QUICK_BACKLOG = 100_000;
const ADOPTED_SECONDS = 120;

export const cluster: Bench = {
  name: "cluster",
  title: "A cluster (optional)",
  about:
    "Nodes on servers of NATS that sync before they acknowledge (`sync_interval: always`), all on the one core of the " +
    "server, so only the ratios mean something. 64 connections publish one small event at a time through one node; " +
    "controls are a single node, and the same 64 in flight to JetStream itself with one message an event. Then 1,000 " +
    "events/s are published by the clock on one node and received on another; the control publishes and consumes them " +
    "with JetStream itself. A new node adopts a stream of NDJSON bodies of 10,000 lines; its start is part of the time. " +
    "Last, three nodes with 500 WebSockets each, of which every one receives every event, are compared with one node " +
    "(without NATS) that has 1,500. Needs `node scripts/nats-server.mjs`.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  if (natsPath === undefined) throw new Skipped("nats-server is not there: node scripts/nats-server.mjs");
  const { single, raw, one, three, latencies, rawLatencies, adopted, nodes, alone } = await takeTurns(context, {
    single: () => measurePublish(context, Server.eventbus(context), CONNECTIONS, SMALL_EVENT),
    raw: () => measurePeer(context, jetStream),
    one: () => measureCluster(context, 1),
    three: () => measureCluster(context, 3),
    latencies: () => measureLatencies(context),
    rawLatencies: () => measureRawLatencies(context),
    adopted: () => measureAdopting(context),
    nodes: () => measureSockets(context),
    alone: () => measureFanOut(context, Server.eventbus(context), { ...SUBSCRIBERS, sockets: NODES * SOCKETS }),
  });
  const at = (share: number, of: readonly number[][]) => of.map((timesMs) => percentile(timesMs, share));
  const rawAt = (share: number) => ({ name: "JetStream", values: at(share, rawLatencies) });
  const ofSingle = { name: "a single node", values: perSecond(single) };
  return [
    {
      name: "HTTP publish through one node, one replica, beside a single node",
      unit: "events/s",
      values: perSecond(one),
      control: ofSingle,
      target: { of: "ratio", is: "at least", bound: 0.5 },
      notes: [busyNote("ours", one), busyNote("control", single)],
    },
    {
      name: "the same, beside JetStream with a message an event",
      unit: "events/s",
      values: perSecond(one),
      control: { name: "JetStream", values: perSecond(raw) },
      target: { of: "ratio", is: "at least", bound: 5 },
      notes: [],
    },
    {
      name: "HTTP publish through one node, three replicas, beside a single node",
      unit: "events/s",
      values: perSecond(three),
      control: ofSingle,
      target: { of: "ratio", is: "at least", bound: 0.3 },
      notes: [busyNote("ours", three)],
    },
    {
      name: "publish on one node to delivery on another at 1,000 events/s, median",
      unit: "ms",
      values: at(0.5, latencies),
      control: rawAt(0.5),
      notes: [],
    },
    {
      name: "publish on one node to delivery on another at 1,000 events/s, 99th percentile",
      unit: "ms",
      values: at(0.99, latencies),
      control: rawAt(0.99),
      target: { of: "value", is: "at most", bound: 20 },
      notes: [],
      timesMs: { ours: latencies.flat(), JetStream: rawLatencies.flat() },
    },
    {
      name: "a new node adopts the stream",
      unit: "events/s",
      values: adopted,
      target: { of: "value", is: "at least", bound: 100_000 },
      notes: [],
    },
    {
      name: "fan-out to 1,500 WebSockets of three nodes, beside one node that has them all",
      unit: "frames/s",
      values: perSecond(nodes),
      control: { name: "one node", values: perSecond(alone) },
      notes: [deliveryNote(nodes), deliveryNote(alone), busyNote("the node that is published to", nodes)],
    },
  ];
}

function measureCluster(context: Context, servers: 1 | 3) {
  return using(BenchCluster.open(context, servers), (opened) =>
    publishTo(context, opened.node(0), CONNECTIONS, SMALL_EVENT),
  );
}

function measureLatencies(context: Context): Promise<number[]> {
  return using(BenchCluster.open(context, 1), async (opened) => {
    const other = await opened.addNode();
    return using(new Program<SteadyCommands>("steady", context.folder), async (program) => {
      const options = {
        port: opened.node(0).port,
        subscribePort: other.port,
        rate: RATE,
        connections: STEADY_CONNECTIONS,
        subscribePath: "/api/events/subscribe",
      };
      await program.ask("publish", { ...options, seconds: context.warmupSeconds });
      const { deliveredMs } = await program.ask("publish", { ...options, seconds: context.windowSeconds });
      return deliveredMs;
    });
  });
}

/** With the parts of `measureLatencies`, and nothing of ours. */
function measureRawLatencies(context: Context): Promise<number[]> {
  return using(openNats(context), (server) =>
    using(new Program<JetStreamCommands>("jetstream", context.folder), async (program) => {
      const options = { port: server.port, rate: RATE, inFlight: STEADY_CONNECTIONS };
      await program.ask("steady", { ...options, seconds: context.warmupSeconds });
      return (await program.ask("steady", { ...options, seconds: context.windowSeconds })).deliveredMs;
    }),
  );
}

function measureSockets(context: Context): Promise<FanOut> {
  return using(BenchCluster.open(context, 1), async (opened) => {
    const others = [await opened.addNode(), await opened.addNode()];
    return fanOutOf(context, [opened.node(0), ...others], { ...SUBSCRIBERS, sockets: SOCKETS });
  });
}

/** Events a second. */
function measureAdopting(context: Context): Promise<number> {
  return using(BenchCluster.open(context, 1), async (opened) => {
    const events = context.isQuick ? QUICK_BACKLOG : BACKLOG;
    const line = JSON.stringify({ topic: "bench.adopted", data: { text: "x".repeat(SMALL_EVENT.dataBytes - 11) } });
    const init = { method: "POST", headers: { "Content-Type": "application/x-ndjson" } };
    for (let sent = 0; sent < events; sent += LINES) {
      const answer = await fetch(`${opened.node(0).url}/api/events/publish`, {
        ...init,
        body: `${line}\n`.repeat(LINES),
      });
      if (!answer.ok) throw new Error(`a body was rejected: ${await answer.text()}`);
    }
    const startMs = performance.now();
    const node = await opened.addNode();
    while ((await lastId(node)) < events) {
      if (performance.now() - startMs > ADOPTED_SECONDS * 1000) throw new Error("the node did not catch up");
      await Bun.sleep(5);
    }
    return (events / (performance.now() - startMs)) * 1000;
  });
}

async function lastId(node: Server): Promise<number> {
  const { events }: { events: { last_id: number } } = JSON.parse(await (await fetch(`${node.url}/api/stats`)).text());
  return events.last_id;
}
