import { BINARY, Binary, type BinaryOptions } from "./binary.ts";
import { DEADLINE_MS } from "./deadline.ts";
import { NatsCluster } from "./nats-cluster.ts";
import { type NatsOptions, NatsServer } from "./nats-server.ts";
import { freePort } from "./port.ts";
import { TcpProxy } from "./proxy.ts";
import { TempFolder } from "./temp.ts";

const LOOK_AGAIN_MS = 20;
/** How long a node may take to report its state on a slow machine; a frozen one never does. */
const ANSWER_MS = 10_000;

export interface ClusterOptions {
  /** Default 3. */
  readonly nodes?: number;
  /** Default 1; on 3 servers the stream has three replicas. */
  readonly servers?: 1 | 3;
  /** More flags of each node. */
  readonly args?: readonly string[];
  readonly nats?: NatsOptions;
  /** What the nodes run; default: the compiled program. */
  readonly program?: string | undefined;
}

interface StartOptions extends Pick<BinaryOptions, "args" | "env"> {
  /** A program, and its arguments, that starts the node. */
  readonly under?: readonly string[];
}

/** A node: the compiled program, with a port and a history that it keeps when it is restarted. */
export class Node implements AsyncDisposable {
  /** Where `eventbus.db` is. */
  readonly folder: string;
  readonly port = freePort();
  /** What its next start runs; undefined: the compiled program. */
  program: string | undefined;
  readonly #own = new TempFolder();
  /** One to each NATS server. */
  readonly #ways: readonly TcpProxy[];
  readonly #args: readonly string[];
  #binary: Binary | undefined;

  /** `folder` is where its history is; default: a folder of its own. */
  constructor(servers: readonly NatsServer[], replicas: number, args: readonly string[], folder?: string) {
    this.folder = folder ?? this.#own.path;
    this.#ways = servers.map(({ port }) => new TcpProxy(`http://127.0.0.1:${port}`));
    const urls = this.#ways.map(({ url }) => url.replace("http:", "nats:"));
    this.#args = ["--cluster", urls.join(","), "--cluster-replicas", String(replicas), ...args];
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What it has written to its log since it was started. */
  get said(): string {
    return this.#binary?.stderr ?? "";
  }

  /** Lets the next text of NATS that contains this be cut in its middle, with the connection. */
  loseInside(text: string): void {
    for (const way of this.#ways) way.cutInside(text);
  }

  /** Starts it, with more flags than usual, or under another program. Resolves once it listens. */
  async start({ args = [], env = {}, under = [] }: StartOptions = {}): Promise<void> {
    const program = [...under, this.program ?? BINARY];
    const all = [...this.#args, ...args];
    this.#binary = await Binary.start({ env, program, args: all, port: this.port, folder: this.folder });
  }

  /** Resolves once it has ended by itself. */
  async ended(): Promise<void> {
    await this.#binary?.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#binary?.signal(signal);
  }

  async kill(): Promise<void> {
    await this.#binary?.kill();
  }

  /** Resolves with its exit code. */
  async stop(): Promise<number> {
    return (await this.#binary?.stop()) ?? -1;
  }

  /** Resets all its connections to NATS, and makes no new ones. Its clients do not notice. */
  cutOff(): void {
    for (const way of this.#ways) way.refuse();
  }

  /** Ends `cutOff`. */
  rejoin(): void {
    for (const way of this.#ways) way.accept();
  }

  /** Resolves once it can accept a publish. */
  async ready(): Promise<this> {
    await until(`${this.url} was not ready`, async () => (await this.ask("/readyz")).ok);
    return this;
  }

  ask(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(ANSWER_MS), ...init });
  }

  /** The newest id. */
  async head(): Promise<number> {
    const { events }: { events: { last_id: number } } = JSON.parse(await (await this.ask("/api/stats")).text());
    return events.last_id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#binary?.[Symbol.asyncDispose]();
    for (const way of this.#ways) way[Symbol.dispose]();
    this.#own[Symbol.dispose]();
  }
}

/** NATS and nodes of the compiled program, all on this machine. */
export class Cluster implements AsyncDisposable {
  /** Three servers; undefined if there is one. */
  readonly nats: NatsCluster | undefined;
  readonly servers: readonly NatsServer[];
  readonly nodes: Node[];

  /** Resolves once all nodes are ready. */
  static async start({ nodes = 3, servers = 1, args = [], nats = {}, program }: ClusterOptions = {}): Promise<Cluster> {
    const three = servers === 3 ? await NatsCluster.start(nats) : undefined;
    const all = three?.servers ?? [await NatsServer.start(nats)];
    const cluster = new Cluster(three, all, nodes, args);
    for (const node of cluster.nodes) node.program = program;
    try {
      await Promise.all(cluster.nodes.map((node) => node.start()));
      await cluster.ready();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(
    nats: NatsCluster | undefined,
    servers: readonly NatsServer[],
    nodes: number,
    args: readonly string[],
  ) {
    this.nats = nats;
    this.servers = servers;
    this.nodes = Array.from({ length: nodes }, () => new Node(servers, servers.length, args));
  }

  /** Adds a node that only knows some of the servers; default: all. Resolves once it listens. */
  async addNode(options: { servers?: readonly NatsServer[]; args?: readonly string[]; folder?: string } = {}) {
    const { servers = this.servers, args = [], folder } = options;
    const node = new Node(servers, this.servers.length, args, folder);
    this.nodes.push(node);
    await node.start();
    return node;
  }

  /** For clients that take several addresses. */
  get urls(): readonly string[] {
    return this.nodes.map(({ url }) => url);
  }

  node(index: number): Node {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  /** The NATS server that a node is connected to now. */
  async serverOf(node: Node): Promise<NatsServer> {
    const { cluster }: { cluster: { node: string } } = JSON.parse(await (await node.ask("/api/stats")).text());
    for (const server of this.servers) {
      const connections = JSON.stringify(await server.monitor("/connz"));
      if (connections.includes(cluster.node)) return server;
    }
    throw new Error(`${cluster.node} is connected to no server`);
  }

  /** Resolves once all nodes are ready. */
  async ready(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.ready()));
  }

  /** Resolves with the newest id, once all nodes are ready and have it. */
  async agreed(limitMs?: number): Promise<number> {
    await this.ready();
    let heads: number[] = [];
    const haveSameHead = async () => {
      heads = await Promise.all(this.nodes.map((node) => node.head()));
      return new Set(heads).size === 1;
    };
    await until("the nodes have not the same newest event", haveSameHead, limitMs);
    return heads[0] ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
    if (this.nats) await this.nats[Symbol.asyncDispose]();
    else await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

/** Checks again and again until it holds; a check that fails counts as false. */
export async function until(otherwise: string, holds: () => Promise<boolean>, limitMs = DEADLINE_MS): Promise<void> {
  for (const deadlineMs = Date.now() + limitMs; Date.now() < deadlineMs; await Bun.sleep(LOOK_AGAIN_MS)) {
    if (await holds().catch(() => false)) return;
  }
  throw new Error(`${otherwise} within ${limitMs} ms`);
}
