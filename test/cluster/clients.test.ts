import { expect, test } from "bun:test";
import { connect } from "../../src/client/index.ts";
import type { Stats } from "../../src/client/stats.ts";
import type { ConsumerInfo, DeadEvent } from "../../src/protocol/consumer.ts";
import { range } from "../contract/log-driver.ts";
import { runBinary } from "../helpers/binary.ts";
import { Cluster, type Node, until } from "../helpers/cluster.ts";
import { RunningCommand } from "../helpers/command.ts";
import { openDashboard } from "../helpers/dashboard.ts";
import { Endpoint } from "../helpers/endpoint.ts";
import { describeWith } from "../helpers/requires.ts";

const HALF = 100;
/** Fewer in succession than those after which an endpoint counts as down. */
const BAD_OF_HALF = 2;

describeWith(
  "nats-server",
  "when the node that serves the consumers is killed, of three nodes on three servers",
  () => {
    describeWith("chromium", "whose clients know all of them", () => {
      test("nothing is lost, and each node shows what was given up", async () => {
        await using cluster = await Cluster.start({ servers: 3, nats: { syncInterval: "10s" } });
        using endpoint = new Endpoint();
        let isClosed = true;
        endpoint.answer = ({ body }) => new Response(null, { status: isClosed && body.includes('"bad"') ? 500 : 204 });
        const [owner, other, third] = await setUp(cluster, endpoint.url);
        const addresses = [owner, other, third].map(({ url }) => url);
        const url = ["--url", addresses.join(",")];
        await using worker = new RunningCommand(["consume", "command", "--parallel", "4", ...url]);
        await using publisher = new RunningCommand(["publish", "--ndjson", "work", ...url]);
        const seen = new Seen(addresses, worker);
        const publishHalf = async (first: number) => {
          for (const n of range(first, first + HALF - 1)) await publisher.write(`${n}\n`);
          for (const n of range(1, BAD_OF_HALF)) await seen.bus.publish("bad", first + n);
          await until("half was not consumed", async () => seen.counts().every((count) => count >= first + HALF / 2));
        };

        await publishHalf(1);
        await owner.kill();
        await publishHalf(HALF + 1);
        await publisher.endInput();
        expect(await publisher.exited).toBe(0);
        await owner.start();
        await cluster.ready();

        const pushed = () => new Set(endpoint.received.map(({ body }) => JSON.parse(body)).map(workOf)).size - 1;
        const isDone = async () => [...seen.counts(), pushed()].every((count) => count === 2 * HALF);
        await until("not everything was consumed", isDone);
        expect(seen.subscribed).toEqual(range(1, 2 * HALF));
        await until("not everything bad was given up", async () => (await deadOf(owner)).length === 2 * BAD_OF_HALF);
        const dead = await deadOf(owner);
        expect(dead.map(({ event, attempts }) => [event?.topic, attempts])).toEqual(Array(4).fill(["bad", 2]));
        for (const node of [other, third]) expect(await deadOf(node)).toEqual(dead);
        await seen.close();

        const notServing = (await ownerOf(cluster)) === other ? third : other;
        isClosed = false;
        await retryInDashboard(notServing, dead);
        for (const node of cluster.nodes) {
          const shown = await runBinary(["consumer", "show", "hook", "--url", node.url]);
          expect(JSON.parse(shown.stdout)).toMatchObject({ lag: 0, dead: 0, in_flight: 0, gaps: 0 });
        }
      });
    });
  },
);

/** What a subscriber and two workers have got: the numbers that were published. */
class Seen {
  readonly subscribed: number[] = [];
  readonly bus;
  readonly #bySdk = new Set<number>();
  readonly #byCommand = new Set<number>();
  readonly #running: Promise<unknown>;

  constructor(addresses: readonly string[], worker: RunningCommand) {
    this.bus = connect(addresses);
    this.#running = Promise.all([this.#subscribe(), this.#consume()]);
    void this.#read(worker).catch(() => {}); // until it is killed
  }

  counts(): number[] {
    return [this.subscribed.length, this.#bySdk.size, this.#byCommand.size];
  }

  async close(): Promise<void> {
    this.bus.close();
    await this.#running;
  }

  async #subscribe(): Promise<void> {
    for await (const { data } of this.bus.subscribe("work", { since: "all" })) this.subscribed.push(Number(data));
  }

  async #consume(): Promise<void> {
    for await (const delivery of this.bus.consume("sdk")) {
      this.#bySdk.add(Number(delivery.event?.data));
      await delivery.ack().catch(() => false); // the node was lost: it comes again
    }
  }

  async #read(worker: RunningCommand): Promise<void> {
    for (;;) this.#byCommand.add(JSON.parse(await worker.lines.next()).data);
  }
}

/** Creates the consumers. Returns the node that serves them, and the others. */
async function setUp(cluster: Cluster, push: string): Promise<[Node, Node, Node]> {
  const urls = cluster.urls.join(",");
  const set = ["--since", "all", "--order", "none", "--ack-timeout", "3s", "--url", urls];
  const hook = ["--push-url", push, "--push-timeout", "2s", "--max-attempts", "2", "--retry", "100ms"];
  for (const args of [
    ["sdk", "work"],
    ["command", "work"],
    ["hook", "work", "bad", ...hook],
  ]) {
    expect(await runBinary(["consumer", "set", ...args, ...set])).toMatchObject({ exitCode: 0 });
  }
  const owner = await ownerOf(cluster);
  const [other, third] = cluster.nodes.filter((node) => node !== owner);
  if (other === undefined || third === undefined) throw new Error("there are too few nodes");
  return [owner, other, third];
}

async function ownerOf(cluster: Cluster): Promise<Node> {
  for (const node of cluster.nodes) {
    const { cluster: own }: Stats = JSON.parse(await (await node.ask("/api/stats")).text());
    if (own !== undefined && own.consumers === own.node) return node;
  }
  throw new Error("no node serves the consumers");
}

async function deadOf(node: Node): Promise<DeadEvent[]> {
  return (await (await node.ask("/api/consumers/hook/dead")).json()) as DeadEvent[];
}

/** The number of an event of the workers; 0 for a bad one. */
function workOf({ topic, data }: { topic: string; data: number }): number {
  return topic === "work" ? data : 0;
}

/** Retries, in the dashboard of a node, what was given up; resolves once nothing is left. */
async function retryInDashboard(node: Node, dead: readonly DeadEvent[]): Promise<void> {
  await using dashboard = await openDashboard(node.url, "#/consumers");
  const { page } = dashboard;
  await page.getByRole("row", { name: /^hook / }).waitFor();
  await page.goto(`${node.url}/#/consumers/hook?tab=dead`);
  await page.getByRole("link", { name: `Dead (${dead.length})` }).waitFor();
  for (const { event } of dead) await page.getByRole("link", { name: `#${event?.id}`, exact: true }).waitFor();
  await page.getByRole("button", { name: "Retry all" }).click();
  await page.getByRole("heading", { name: "Nothing was given up" }).waitFor();
  const isSettled = async () => ((await (await node.ask("/api/consumers/hook")).json()) as ConsumerInfo).retrying === 0;
  await until("what was retried was not delivered", isSettled);
}
