import { DEADLINE_MS } from "./deadline.ts";
import { until } from "./inbox.ts";
import { type NatsOptions, NatsServer } from "./nats-server.ts";
import { freePort } from "./port.ts";
import { TcpProxy } from "./proxy.ts";

const SIZE = 3;
const LOOK_AGAIN_MS = 50;

/**
 * Three nats-servers that replicate streams among them. Each pair is connected through proxies of the test, one for
 * each direction, so that a server can be cut off from the others.
 */
export class NatsCluster implements AsyncDisposable {
  readonly servers: readonly NatsServer[];
  readonly #routes: readonly Route[];

  /** Resolves once the servers have a leader, which knows them all. */
  static async start(options: NatsOptions = {}): Promise<NatsCluster> {
    const cluster = new NatsCluster(options);
    try {
      await Promise.all(cluster.servers.map((server) => server.start()));
      await cluster.#untilWhole();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(options: NatsOptions) {
    const ports = Array.from({ length: SIZE }, freePort);
    this.#routes = ports.flatMap((port, to) =>
      ports.flatMap((_, from) => (from === to ? [] : [{ from, to, proxy: new TcpProxy(`http://127.0.0.1:${port}`) }])),
    );
    this.servers = ports.map((port, index) => {
      const config = [options.config ?? "", clusterConfig(port, this.#routesFrom(index))].join("\n");
      return new NatsServer({ ...options, name: `nats-${index}`, config });
    });
  }

  /** For `--cluster`. */
  get urls(): string {
    return this.servers.map(({ url }) => url).join(",");
  }

  /** The server that leads this stream; without a name, the one that leads all of JetStream. */
  async untilLeader(stream?: string): Promise<NatsServer> {
    for (const deadlineMs = Date.now() + DEADLINE_MS; Date.now() < deadlineMs; await Bun.sleep(LOOK_AGAIN_MS)) {
      const name = await this.#leaderName(stream);
      const leader = this.servers.find((_, index) => `nats-${index}` === name);
      if (leader?.isRunning) return leader;
    }
    throw new Error(`the NATS servers did not elect a leader within ${DEADLINE_MS} ms`);
  }

  /** Before that, there are too few servers for three replicas. */
  async #untilWhole(): Promise<void> {
    const leader = await this.untilLeader();
    await until(async () => {
      const { meta_cluster } = (await leader.monitor("/jsz")) as JetStreamState;
      return meta_cluster?.replicas?.filter(({ current }) => current).length === SIZE - 1;
    }, "a leader that knows all NATS servers");
  }

  /** Cuts a server off from the other two. Clients still reach it. */
  cutOff(server: NatsServer): void {
    for (const { proxy } of this.#routesOf(server)) proxy.refuse();
  }

  /** Ends `cutOff`. */
  rejoin(server: NatsServer): void {
    for (const { proxy } of this.#routesOf(server)) proxy.accept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
    for (const { proxy } of this.#routes) proxy[Symbol.dispose]();
  }

  #routesFrom(index: number): readonly string[] {
    return this.#routes
      .filter(({ from }) => from === index)
      .map(({ proxy }) => `nats-route://127.0.0.1:${new URL(proxy.url).port}`);
  }

  #routesOf(server: NatsServer): readonly Route[] {
    const index = this.servers.indexOf(server);
    return this.#routes.filter(({ from, to }) => from === index || to === index);
  }

  /** As the servers that run see it: the name that most of them give. */
  async #leaderName(stream: string | undefined): Promise<string | undefined> {
    const answers = await Promise.all(
      this.servers
        .filter(({ isRunning }) => isRunning)
        .map(async (server) => server.monitor("/jsz?streams=true&accounts=true").then((body) => leaderIn(body, stream)))
        .map((answer) => answer.catch(() => undefined)),
    );
    const names = answers.filter((name) => name !== undefined && name !== "");
    const votes = Map.groupBy(names, (name) => name);
    return [...votes].find(([, same]) => same.length * 2 > SIZE)?.[0];
  }
}

interface Route {
  readonly from: number;
  readonly to: number;
  readonly proxy: TcpProxy;
}

/** Neither clients nor servers learn an address that leads around the proxies. */
function clusterConfig(port: number, routes: readonly string[]): string {
  const addresses = routes.map((route) => JSON.stringify(route)).join(", ");
  const nowhere = "127.0.0.1:1";
  return [
    `cluster { name: test, listen: "127.0.0.1:${port}", no_advertise: true, cluster_advertise: "${nowhere}"`,
    `  pool_size: -1, routes: [${addresses}] }`,
  ].join("\n");
}

/** What `/jsz` says. */
interface JetStreamState {
  readonly meta_cluster?: { readonly leader?: string; readonly replicas?: readonly { readonly current: boolean }[] };
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly name: string; readonly cluster?: { readonly leader?: string } }[];
  }[];
}

function leaderIn(body: unknown, stream: string | undefined): string | undefined {
  const { meta_cluster, account_details = [] } = body as JetStreamState;
  if (stream === undefined) return meta_cluster?.leader;
  const streams = account_details.flatMap(({ stream_detail = [] }) => stream_detail);
  return streams.find(({ name }) => name === stream)?.cluster?.leader;
}
