import { type Bench, type Context, type Row, Skipped } from "../lib/bench.ts";
import { BenchCluster, natsPath } from "../lib/cluster.ts";
import { takeTurns, using } from "../lib/rounds.ts";
import type { Server } from "../lib/server.ts";
import { percentile } from "../lib/stats.ts";

const NODES = 3;
const TOKENS = 50;
const QUICK_TOKENS = 10;
/** How long a token may go on being used, anywhere, after it was revoked. */
const MAX_MS = 2000;

export const revocation: Bench = {
  name: "revocation",
  title: "Revoking a token in a cluster (optional)",
  about:
    "Three nodes on three servers of NATS that sync before they acknowledge. A token has an open WebSocket and an open " +
    "stream on each node. It is revoked on one of them; the time ends when all six are closed and each node has " +
    "rejected a request with 401. Fifty tokens, one after another. Needs `node scripts/nats-server.mjs`.",
  run,
};

async function run(context: Context): Promise<readonly Row[]> {
  if (natsPath === undefined) throw new Skipped("nats-server is not there: node scripts/nats-server.mjs");
  const { times } = await takeTurns(context, { times: () => measure(context) });
  const common = { unit: "ms", notes: [] };
  return [
    {
      ...common,
      name: "from revoking a token on one node until it is out on three, median",
      values: times.map((timesMs) => percentile(timesMs, 0.5)),
    },
    {
      ...common,
      name: "the same, slowest",
      values: times.map((timesMs) => Math.max(...timesMs)),
      target: { of: "value", is: "at most", bound: MAX_MS },
    },
  ];
}

function measure(context: Context): Promise<number[]> {
  return using(BenchCluster.open(context, 3), async (cluster) => {
    while (cluster.nodes.length < NODES) await cluster.addNode();
    const root = await create(cluster.node(0), { name: "root", admin: true });
    await until(cluster.nodes, root, 200);
    const times: number[] = [];
    for (let n = 0; n < (context.isQuick ? QUICK_TOKENS : TOKENS); n++) {
      const name = `reader-${n}`;
      const token = await create(cluster.node(n % NODES), { name, subscribe: ["*"] }, root);
      await until(cluster.nodes, token, 200);
      const ended = await Promise.all(cluster.nodes.map((node) => open(node, token)));
      const startMs = performance.now();
      const revoked = await fetch(`${cluster.node((n + 1) % NODES).url}/api/tokens/${name}`, {
        method: "DELETE",
        headers: by(root),
      });
      if (!revoked.ok) throw new Error(`a token was not revoked: ${await revoked.text()}`);
      await Promise.all(ended.map((end) => end()));
      await until(cluster.nodes, token, 401);
      times.push(performance.now() - startMs);
    }
    return times;
  });
}

async function create(node: Server, token: object, creator?: string): Promise<string> {
  const answer = await fetch(`${node.url}/api/tokens`, {
    method: "POST",
    body: JSON.stringify(token),
    headers: creator === undefined ? {} : by(creator),
  });
  const { secret }: { secret: string } = JSON.parse(await answer.text());
  return secret;
}

/** Resolves once every node responds to this token with this status. */
async function until(nodes: readonly Server[], token: string, status: number): Promise<void> {
  for (const node of nodes) {
    const deadlineMs = performance.now() + 10 * MAX_MS;
    while ((await fetch(`${node.url}/api/events/history?last=1`, { headers: by(token) })).status !== status) {
      if (performance.now() > deadlineMs) throw new Error(`${node.url} never responded with ${status}`);
      await Bun.sleep(1);
    }
  }
}

/** Opens a WebSocket and a stream; what it returns resolves once the server has closed both. */
async function open(node: Server, token: string): Promise<() => Promise<void>> {
  const socket = new WebSocket(`${node.url.replace("http", "ws")}/api/events/subscribe?access_token=${token}`);
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  socket.addEventListener("close", () => close());
  await new Promise<void>((opened) => socket.addEventListener("open", () => opened()));
  const stream = await fetch(`${node.url}/api/events/stream`, { headers: by(token) });
  return async () => {
    await closed;
    await stream.text();
  };
}

function by(token: string): Record<string, string> {
  return { Authorization: `Bearer ${token}` };
}
