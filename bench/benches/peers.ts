import { type Bench, type Context, type Row, Skipped } from "../lib/bench.ts";
import { natsPath } from "../lib/cluster.ts";
import { measurePublish, perSecond, publisher, SMALL_EVENT } from "../lib/load.ts";
import { busyNote, serverBusy, type Throughput, takeTurns, using } from "../lib/rounds.ts";
import { Server } from "../lib/server.ts";
import type { PeerProtocol } from "../load/peer-connection.ts";

const CONNECTIONS = 64;

export const peers: Bench = {
  name: "peers",
  title: "Other products (optional)",
  about:
    "64 connections publish one small event at a time, ours over HTTP, the others over their own protocols on bare " +
    "TCP, each product on one core and with a file of its own. The others do less than HTTP does, and store other " +
    "things. Redis Streams with `appendfsync always` makes the same promise (a response means that the event is on " +
    "disk), so it has a target. Only products that are installed (`redis-server`, `nats-server`) and have the " +
    "option are measured; `sync_interval: always` came with nats-server 2.10.",
  run,
};

interface Peer {
  readonly name: string;
  readonly program: string;
  readonly protocol: PeerProtocol;
  argv(port: number, folder: string): Promise<string[]>;
  /** The share of its throughput that ours must reach; without it, the row is for comparison only. */
  readonly leastRatio?: number;
}

/** JetStream with the same promise as ours. */
export const jetStream: Peer = {
  name: "NATS JetStream, sync_interval always",
  program: natsPath ?? "nats-server",
  protocol: "nats",
  argv: natsArgv("always"),
};

const known: readonly Peer[] = [
  {
    name: "Redis Streams, appendfsync always",
    program: "redis-server",
    protocol: "redis",
    leastRatio: 0.8,
    argv: async (port, folder) => {
      const options = { port, bind: "127.0.0.1", dir: folder, save: "", appendonly: "yes", appendfsync: "always" };
      return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    },
  },
  jetStream,
  { ...jetStream, name: "NATS JetStream, no fsync before the ack", argv: natsArgv() },
];

async function run(context: Context): Promise<readonly Row[]> {
  const able: Peer[] = [];
  for (const peer of known) if (Bun.which(peer.program) !== null && (await starts(context, peer))) able.push(peer);
  if (able.length === 0) throw new Skipped("neither redis-server nor nats-server is installed");
  const rows: Row[] = [];
  for (const peer of able) {
    const { theirs, ours } = await takeTurns(context, {
      theirs: () => measurePeer(context, peer),
      ours: () => measurePublish(context, Server.eventbus(context), CONNECTIONS, SMALL_EVENT),
    });
    rows.push({
      name: `HTTP publish, 64 connections, fsynced, beside ${peer.name}`,
      unit: "events/s",
      values: perSecond(ours),
      control: { name: peer.name, values: perSecond(theirs) },
      ...(peer.leastRatio && { target: { of: "ratio", is: "at least", bound: peer.leastRatio } }),
      notes: [busyNote("ours", ours), busyNote("theirs", theirs)],
    });
  }
  return rows;
}

/** Older versions do not know every option, and end at once. */
function starts(context: Context, peer: Peer): Promise<boolean> {
  return using(start(context, peer), async () => true).catch(() => false);
}

function start(context: Context, { program, argv }: Peer): Promise<Server> {
  return Server.peer(context, async (port, folder) => [program, ...(await argv(port, folder))]);
}

/** Publishes to another product as fast as it acknowledges. */
export function measurePeer(context: Context, peer: Peer): Promise<Throughput> {
  const { warmupSeconds, windowSeconds } = context;
  const { dataBytes } = SMALL_EVENT;
  return using(start(context, peer), (server) =>
    using(publisher(context), async (load) => {
      const options = {
        port: server.port,
        protocol: peer.protocol,
        connections: CONNECTIONS,
        dataBytes,
        warmupSeconds,
        windowSeconds,
      };
      const [result, busy] = await Promise.all([load.ask("publishToPeer", options), serverBusy(server, context)]);
      return { ...result, serverBusy: busy };
    }),
  );
}

function natsArgv(syncInterval?: string): Peer["argv"] {
  return async (port, folder) => {
    const sync = syncInterval === undefined ? "" : `sync_interval: ${syncInterval}`;
    const file = `${folder}/nats.conf`;
    await Bun.write(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}"\n${sync} }\n`);
    return ["-c", file];
  };
}
