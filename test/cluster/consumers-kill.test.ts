import { expect, test } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Stats } from "../../src/client/stats.ts";
import type { ConsumerInfo, DeliveryMessage, Settled } from "../../src/protocol/consumer.ts";
import { Cluster, type Node, until } from "../helpers/cluster.ts";
import { describeWith } from "../helpers/requires.ts";
import { Random } from "../model/random.ts";

/** `EVENTBUS_TEST_SEED` repeats a run; `EVENTBUS_TEST_KILLS` says how many there are. */
const seed = Number(process.env["EVENTBUS_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const kills = Number(process.env["EVENTBUS_TEST_KILLS"] ?? 2);

const TOPICS = 7;
const WORK = "/api/consumers/work";
/** A call may have to wait for a takeover. */
const CALL_MS = 30_000;

/** What the takers of all nodes have seen. */
class Record {
  readonly acknowledged = new Set<number>();
  breach: string | undefined;
  readonly #sent = new Set<number>();
  /** By topic, the newest event that was handed out. */
  readonly #newest = new Map<string, number>();

  handedOut(message: DeliveryMessage): void {
    if (!("event" in message)) {
      this.breach ??= `a gap was delivered: ${JSON.stringify(message)}`;
      return;
    }
    const { id, topic } = message.event;
    const before = this.#newest.get(topic) ?? 0;
    if (id <= before) {
      if (!this.#sent.has(id) && id < before) this.breach ??= `${id} of ${topic} came after ${before}`;
      return;
    }
    if (before > 0 && !this.#sent.has(before)) this.breach ??= `${id} of ${topic} came before ${before} was settled`;
    this.#newest.set(topic, id);
  }

  acknowledging(id: number): void {
    this.#sent.add(id);
  }
}

async function call<T>(node: Node, path: string, body?: object): Promise<T> {
  const signal = AbortSignal.timeout(CALL_MS);
  const response = await node.ask(path, { method: "POST", signal, ...(body && { body: JSON.stringify(body) }) });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** Takes and acknowledges at one node until it is stopped. */
async function work(node: Node, record: Record, random: Random, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const taken = await call<DeliveryMessage[]>(node, `${WORK}/take?max=${random.whole(1, 20)}&wait=500ms`);
      for (const one of taken) record.handedOut(one);
      for (const one of taken) if ("event" in one) record.acknowledging(one.event.id);
      const { unknown } = await call<Settled>(node, `${WORK}/ack`, { deliveries: taken.map((one) => one.delivery) });
      for (const one of taken)
        if ("event" in one && !unknown.includes(one.delivery)) record.acknowledged.add(one.event.id);
    } catch {
      await Bun.sleep(50); // the node is away
    }
  }
}

/** Publishes at any node until it is stopped; returns the acknowledged ids. */
async function publish(cluster: Cluster, random: Random, signal: AbortSignal): Promise<number[]> {
  const ids: number[] = [];
  for (let n = 0; !signal.aborted; n++) {
    const body = JSON.stringify({ topic: `t.${random.whole(0, TOPICS - 1)}`, data: n });
    const init = { method: "POST", body, headers: { "Idempotency-Key": `${n}` } };
    for (let done = false; !done; ) {
      const node = cluster.node(random.whole(0, cluster.nodes.length - 1));
      done = await node
        .ask("/api/events/publish", init)
        .then(async (response) => {
          if (response.ok) ids.push(((await response.json()) as { id: number }).id);
          return response.ok;
        })
        .catch(() => false);
    }
  }
  return ids;
}

async function ownerOf(cluster: Cluster): Promise<Node | undefined> {
  for (const node of cluster.nodes) {
    const { cluster: own } = (await (await node.ask("/api/stats")).json()) as Stats;
    if (own !== undefined && own.consumers === own.node) return node;
  }
  return undefined;
}

function loseDisk({ folder }: Node): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}

describeWith("nats-server", "consumers of a cluster whose node is killed under load", () => {
  test(
    "lose no event and keep the order of each topic, even if the disk of the node is lost, too",
    async () => {
      const random = new Random(seed);
      const own = () => new Random(random.whole(0, 2 ** 31));
      await using cluster = await Cluster.start({
        nodes: 3,
        nats: { syncInterval: "10s" },
        args: ["--max-history", "off"],
      });
      await cluster.node(0).ask(WORK, { method: "PUT", body: JSON.stringify({ pattern: ["t.*"], ack_timeout: "2s" }) });
      const record = new Record();
      const [publishing, working] = [new AbortController(), new AbortController()];
      const workers = cluster.nodes.flatMap((node) => [0, 1].map(() => work(node, record, own(), working.signal)));
      const publisher = publish(cluster, own(), publishing.signal);
      for (let kill = 1; kill <= kills; kill++) {
        await Bun.sleep(random.whole(500, 1500));
        await until("no node serves the consumers", async () => (await ownerOf(cluster)) !== undefined);
        const owner = await ownerOf(cluster);
        await owner?.kill();
        const [killedMs, before] = [performance.now(), record.acknowledged.size];
        await until("no other node took over", async () => record.acknowledged.size > before + 20);
        console.error(`kill ${kill}: acknowledging again after ${Math.round(performance.now() - killedMs)} ms`);
        if (kill % 2 === 0 && owner) loseDisk(owner);
        await owner?.start();
        await cluster.ready();
      }
      publishing.abort();
      const ids = await publisher;
      const isDone = async () => ids.every((id) => record.acknowledged.has(id));
      await until("events were not delivered", isDone);
      working.abort();
      await Promise.all(workers);
      expect(record.breach && `EVENTBUS_TEST_SEED=${seed}: ${record.breach}`).toBeUndefined();
      const infos = await Promise.all(cluster.nodes.map(async (node) => (await node.ask(WORK)).json()));
      for (const info of infos as ConsumerInfo[]) expect(info).toMatchObject({ lag: 0, dead: 0, gaps: 0 });
      console.error(`${ids.length} events (seed ${seed})`);
    },
    24 * 3600 * 1000,
  );
});
