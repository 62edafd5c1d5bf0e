import { expect, test } from "bun:test";
import { range } from "../contract/log-driver.ts";
import { Cluster, type Node, until } from "../helpers/cluster.ts";
import { describeWith } from "../helpers/requires.ts";
import { TestSocket } from "../helpers/socket.ts";

/** The promise. The median of several is judged, as a single one may meet a pause of the machine. In milliseconds. */
const REVOKED_MS = 2000;
const TOKENS = 5;

describeWith("nats-server", "a token that is revoked on one node", () => {
  test("is out on every node: for requests, WebSockets and streams that are open", async () => {
    await using cluster = await Cluster.start({ nodes: 3, nats: { syncInterval: "10s" } });
    const root = await create(cluster.node(0), { name: "root", admin: true });
    await accepted(cluster, root);
    const times: number[] = [];
    for (const n of range(1, TOKENS)) {
      const name = `reader-${n}`;
      const token = await create(cluster.node(n % 3), { name, subscribe: ["*"] }, root);
      await accepted(cluster, token);
      const uses = await Promise.all(cluster.nodes.map((node) => use(node, token)));
      const startMs = performance.now();
      const revoked = await cluster
        .node((n + 1) % 3)
        .ask(`/api/tokens/${name}`, { method: "DELETE", headers: by(root) });
      expect(revoked.ok).toBe(true);
      await Promise.all(uses.map(({ ended }) => ended));
      times.push(performance.now() - startMs);
      const statuses = await Promise.all(cluster.nodes.map((node) => statusOf(node, token)));
      expect(statuses).toEqual([401, 401, 401]);
    }
    expect(times.toSorted((x, y) => x - y)[Math.floor(TOKENS / 2)]).toBeLessThan(REVOKED_MS);
  });
});

async function create(node: Node, token: object, creator?: string): Promise<string> {
  const headers = creator === undefined ? {} : by(creator);
  const answer = await node.ask("/api/tokens", { method: "POST", body: JSON.stringify(token), headers });
  const { secret }: { secret: string } = JSON.parse(await answer.text());
  return secret;
}

/** Resolves once every node knows the token. */
async function accepted(cluster: Cluster, token: string): Promise<void> {
  for (const node of cluster.nodes)
    await until("a node does not know the token", async () => (await statusOf(node, token)) === 200);
}

/** Opens a WebSocket and a stream; `ended` resolves once both were closed by the server. */
async function use(node: Node, token: string): Promise<{ ended: Promise<void> }> {
  const socket = await TestSocket.open(node.url, "", by(token));
  const stream = await fetch(`${node.url}/api/events/stream`, { headers: by(token) });
  expect(stream.status).toBe(200);
  const ended = async () => {
    expect((await socket.closed).code).toBe(1008);
    await stream.text();
  };
  return { ended: ended() };
}

async function statusOf(node: Node, token: string): Promise<number> {
  return (await node.ask("/api/events/history?last=1", { headers: by(token) })).status;
}

function by(token: string): Record<string, string> {
  return { Authorization: `Bearer ${token}` };
}
