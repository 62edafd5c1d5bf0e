import { expect, spyOn, test } from "bun:test";
import { Consumers } from "../../src/bus/consumers/consumers.ts";
import { InterestTable } from "../../src/bus/interest/interest.ts";
import { LeaseRow } from "../../src/store/consumers/lease-row.ts";
import { draft } from "../contract/log-driver.ts";
import { ClusterNode } from "../helpers/cluster-node.ts";
import { until } from "../helpers/inbox.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { TcpProxy } from "../helpers/proxy.ts";
import { describeWith } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";

/** A node with its consumers. Without the fence it serves them whatever became of its lease. */
class ServingNode implements AsyncDisposable {
  readonly node: ClusterNode;
  readonly consumers: Consumers;

  constructor(url: string, path: string, hasFence = true) {
    this.node = new ClusterNode({ url, name: "fence", path });
    const { log, consumers: shared } = this.node.cluster;
    const table = new InterestTable();
    log.onCommit((batch) => table.deliver(batch));
    this.consumers = new Consumers({
      log,
      store: shared,
      interests: table,
      clocks: { wall: Date.now, monotonic: () => performance.now() },
      makeRun: () => crypto.randomUUID().slice(0, 8),
      makeSecret: () => "whsec_c2VjcmV0",
      nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
      mayServe: () => !hasFence || shared.isHere,
    });
    shared.serveWith(this.consumers);
  }

  /** Whether it may serve, as its lease says. */
  get isHere(): boolean {
    return this.node.cluster.consumers.isHere;
  }

  /** Takes what there is; returns the ids. */
  take(): number[] {
    const taken = this.consumers.get("work").take(10);
    return taken.flatMap(({ event }) => (event ? [event.id] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.consumers.close();
    await this.node.cluster.consumers.close();
    await this.node[Symbol.asyncDispose]();
  }
}

/** Two nodes that know two events; the first one serves the consumer `work` of both, and can be cut off from NATS. */
class Pair implements AsyncDisposable {
  readonly a: ServingNode;
  readonly b: ServingNode;
  readonly way: TcpProxy;
  readonly #nats: NatsServer;
  readonly #folder = new TempFolder();

  static async start(hasFence = true): Promise<Pair> {
    const pair = new Pair(await NatsServer.start({ syncInterval: "10s" }), hasFence);
    const { a, b } = pair;
    await a.node.ready();
    await b.node.ready();
    expect(await a.node.cluster.consumers.find(true)).toBe(true);
    await a.consumers.set("work", { pattern: ["*"], order: "none" }, "now");
    await b.node.log.append([draft("x"), draft("y")]);
    await until(() => a.node.log.head === 2);
    return pair;
  }

  private constructor(nats: NatsServer, hasFence: boolean) {
    this.#nats = nats;
    this.way = new TcpProxy(`http://127.0.0.1:${nats.port}`);
    this.a = new ServingNode(this.way.url.replace("http:", "nats:"), this.#folder.file("a.db"), hasFence);
    this.b = new ServingNode(nats.url, this.#folder.file("b.db"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.way.accept();
    await this.a[Symbol.asyncDispose]();
    await this.b[Symbol.asyncDispose]();
    this.way[Symbol.dispose]();
    await this.#nats[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

/** Cuts the serving node off until another one serves; returns the events that both have handed out. */
async function handedOutTwice(hasFence: boolean): Promise<number[]> {
  await using pair = await Pair.start(hasFence);
  const { a, b, way } = pair;
  way.refuse();
  await until(() => b.isHere);
  const [atA, atB] = [a.take(), b.take()];
  expect(atB).toEqual([1, 2]);
  return atA.filter((id) => atB.includes(id));
}

/** Cuts the serving node off until another one serves; returns how many old deliveries it then acknowledges. */
async function acknowledgedLate(hasFence: boolean): Promise<number> {
  await using pair = await Pair.start(hasFence);
  const { a, b, way } = pair;
  const work = a.consumers.get("work");
  const names = work.take(1).map(({ delivery }) => delivery);
  way.refuse();
  await until(() => b.isHere);
  const { done } = work.ack(names);
  expect(b.take()).toEqual([1, 2]);
  way.accept();
  if (hasFence) await until(() => a.node.cluster.consumers.names().has("work") && a.consumers.all().length === 0);
  return done;
}

/**
 * The serving node acknowledges both events as it is cut off, so this is saved only when it is back. Meanwhile another
 * one serves, and is moved back to the beginning. Returns what the next node to serve hands out.
 */
async function takenAfterLateSave(): Promise<number[]> {
  await using pair = await Pair.start();
  const { a, b, way } = pair;
  const work = a.consumers.get("work");
  const names = work.take(2).map(({ delivery }) => delivery);
  way.refuse();
  expect(work.ack(names).done).toBe(2);
  await until(() => b.isHere);
  await b.consumers.seek("work", "all");
  expect(b.take()).toEqual([1, 2]);
  expect(a.node.log.queueDepth).toBeGreaterThan(0);
  way.accept();
  await until(() => a.consumers.all().length === 0 && a.node.log.queueDepth === 0);
  await b.node.cluster.consumers.close();
  await until(() => a.isHere);
  return a.take();
}

// Each promise has a test without the fence. Otherwise one that detects nothing would look like a working fence.
describeWith("nats-server", "a node that serves consumers and is cut off", () => {
  test.concurrent("hands out nothing when another one has taken over", async () => {
    expect(await handedOutTwice(true)).toEqual([]);
  });

  test.concurrent("would hand out what the other one hands out, without the fence", async () => {
    expect(await handedOutTwice(false)).toEqual([1, 2]);
  });

  test.concurrent("acknowledges nothing that the other one does not know of", async () => {
    expect(await acknowledgedLate(true)).toBe(0);
  });

  test.concurrent("would acknowledge what the other one has handed out, without the fence", async () => {
    expect(await acknowledgedLate(false)).toBe(1);
  });

  test.concurrent("records nothing any more that it was told before", async () => {
    expect(await takenAfterLateSave()).toEqual([1, 2]);
  });

  test("would undo what the other one has recorded, without the fence", async () => {
    const { renew } = LeaseRow.prototype;
    const fence = spyOn(LeaseRow.prototype, "renew").mockImplementation(function (this: LeaseRow, ...lease) {
      renew.apply(this, lease);
      return true;
    });
    try {
      expect(await takenAfterLateSave()).toEqual([]);
    } finally {
      fence.mockRestore();
    }
  });
});
