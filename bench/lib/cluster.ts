import { existsSync } from "node:fs";
import { natsServer } from "../../scripts/nats-server.mjs";
import type { Context } from "./bench.ts";
import { freePort, Server } from "./server.ts";

/** Where nats-server is; undefined if it is not installed. */
export const natsPath = existsSync(natsServer) ? natsServer : undefined;

const READY_MS = 60_000;

/** Servers of NATS that sync before they acknowledge, and the nodes of a cluster on them. All share the server's core. */
export class BenchCluster {
  readonly nats: readonly Server[];
  readonly nodes: Server[] = [];
  readonly #context: Context;

  /** Resolves with one node that is ready. */
  static async open(context: Context, servers: 1 | 3): Promise<BenchCluster> {
    const routes = Array.from({ length: servers }, freePort);
    const nats = await Promise.all(routes.map((_, index) => openNats(context, routes, index)));
    const cluster = new BenchCluster(context, nats);
    await cluster.addNode();
    return cluster;
  }

  private constructor(context: Context, nats: readonly Server[]) {
    this.#context = context;
    this.nats = nats;
  }

  get lastWords(): string {
    return this.nodes.map(({ lastWords }) => lastWords).join("; ");
  }

  node(index: number): Server {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  /** Resolves once the node is ready. */
  async addNode(): Promise<Server> {
    const urls = this.nats.map(({ port }) => `nats://127.0.0.1:${port}`).join(",");
    const flags = ["--cluster", urls, "--cluster-replicas", String(this.nats.length)];
    const node = await Server.eventbus(this.#context, flags);
    this.nodes.push(node);
    const deadlineMs = performance.now() + READY_MS;
    while (!(await fetch(`${node.url}/readyz`)).ok) {
      if (performance.now() > deadlineMs) throw new Error(`a node was not ready: ${node.lastWords}`);
      await Bun.sleep(5);
    }
    return node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await Promise.all(this.nats.map((server) => server.stop()));
  }
}

/** One server of NATS; with routes, the server of this index in a cluster. */
export function openNats(context: Context, routes: readonly number[] = [], index = 0): Promise<Server> {
  return Server.peer(context, async (port, folder) => {
    const others = routes.filter((_, at) => at !== index).map((route) => `"nats://127.0.0.1:${route}"`);
    const cluster = `cluster { name: bench, listen: "127.0.0.1:${routes[index]}", routes: [${others.join(", ")}] }`;
    const lines = [
      `server_name: nats${index}`,
      `listen: "127.0.0.1:${port}"`,
      "max_payload: 16MB",
      `jetstream { store_dir: "${folder}", sync_interval: always }`,
      routes.length > 1 ? cluster : "",
      "",
    ];
    await Bun.write(`${folder}/nats.conf`, lines.join("\n"));
    return [natsPath ?? "nats-server", "-c", `${folder}/nats.conf`];
  });
}
