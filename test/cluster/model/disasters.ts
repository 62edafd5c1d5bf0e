import type { Cluster } from "../../helpers/cluster.ts";
import type { Random } from "../../model/random.ts";

/** What can happen to a cluster; each ends by itself. */
const disasters = {
  async "kill a node"({ cluster, random }) {
    const node = random.pick(cluster.nodes);
    await node.kill();
    await Bun.sleep(random.whole(0, 500));
    await node.start();
  },
  async "restart a node"({ cluster, random }) {
    const node = random.pick(cluster.nodes);
    await node.stop();
    await node.start();
  },
  async "freeze a node"({ cluster, random }) {
    const node = random.pick(cluster.nodes);
    node.signal("SIGSTOP");
    await Bun.sleep(random.whole(100, 5000));
    node.signal("SIGCONT");
  },
  async "cut a node off from NATS"({ cluster, random }) {
    const node = random.pick(cluster.nodes);
    node.cutOff();
    await Bun.sleep(random.whole(100, 5000));
    node.rejoin();
  },
  async "kill the leader of the stream"({ cluster, random }) {
    const leader = await leaderOf(cluster);
    await leader.kill();
    await Bun.sleep(random.whole(0, 6000));
    await leader.start();
  },
  async "kill a follower"({ cluster, random }) {
    const leader = await leaderOf(cluster);
    const follower = random.pick(cluster.servers.filter((server) => server !== leader));
    await follower.kill();
    await Bun.sleep(random.whole(0, 3000));
    await follower.start();
  },
  async "freeze the leader of the stream"({ cluster, random }) {
    const leader = await leaderOf(cluster);
    leader.freeze();
    await Bun.sleep(random.whole(500, 12_000));
    leader.thaw();
  },
  async "cut a NATS server off from the others"({ cluster, random }) {
    const server = random.pick(cluster.servers);
    cluster.nats?.cutOff(server);
    await Bun.sleep(random.whole(500, 12_000));
    cluster.nats?.rejoin(server);
  },
  async "update everything, one after another"({ cluster }) {
    for (const server of cluster.servers) {
      await server.stop();
      server.program = undefined;
      await server.start();
      await cluster.nats?.untilLeader("eventbus");
    }
    for (const node of cluster.nodes) {
      await node.stop();
      node.program = undefined;
      await node.start();
      await node.ready();
    }
  },
  async "kill all of NATS"({ cluster, random }) {
    await Promise.all(cluster.servers.map((server) => server.kill()));
    await Bun.sleep(random.whole(0, 2000));
    await Promise.all(cluster.servers.map((server) => server.start()));
  },
} satisfies Readonly<Record<string, (scene: Scene) => Promise<void>>>;

export type Disaster = keyof typeof disasters;

export interface Scene {
  readonly cluster: Cluster;
  readonly random: Random;
}

/** How often each happens, relative to the others. */
export const WEIGHTS: Readonly<Record<Disaster, number>> = {
  "kill a node": 8,
  "restart a node": 2,
  "freeze a node": 2,
  "cut a node off from NATS": 3,
  "kill the leader of the stream": 2,
  "kill a follower": 2,
  "freeze the leader of the stream": 1,
  "cut a NATS server off from the others": 2,
  "update everything, one after another": 0,
  "kill all of NATS": 1,
};

/** Throws if there is none of that name. */
export function disasterNamed(name: string): Disaster {
  const known = Object.keys(WEIGHTS) as Disaster[];
  const found = known.find((one) => one === name);
  if (found === undefined) throw new Error(`there is no disaster "${name}": there are ${known.join(", ")}`);
  return found;
}

/** Resolves once it is over. The cluster may need some time to recover. */
export function befall(disaster: Disaster, scene: Scene): Promise<void> {
  return disasters[disaster](scene);
}

async function leaderOf({ nats, servers }: Cluster) {
  const leader = (await nats?.untilLeader("eventbus")) ?? servers[0];
  if (leader === undefined) throw new Error("there is no NATS server");
  return leader;
}
