import { expect, test } from "bun:test";
import { Consumers } from "../../src/bus/consumers/consumers.ts";
import { InterestTable } from "../../src/bus/interest/interest.ts";
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

/** Cuts the serving node off from NATS until another one serves; returns the events that both have handed out. */
async function handedOutTwice(hasFence: boolean): Promise<number[]> {
  using folder = new TempFolder();
  await using nats = await NatsServer.start({ syncInterval: "10s" });
  using way = new TcpProxy(`http://127.0.0.1:${nats.port}`);
  await using a = new ServingNode(way.url.replace("http:", "nats:"), folder.file("a.db"), hasFence);
  await using b = new ServingNode(nats.url, folder.file("b.db"));
  await a.node.ready();
  await b.node.ready();
  expect(await a.node.cluster.consumers.find(true)).toBe(true);
  await a.consumers.set("work", { pattern: ["*"], order: "none" }, "now");
  await b.node.log.append([draft("x"), draft("y")]);
  await until(() => a.node.log.head === 2);
  way.refuse();
  await until(() => b.isHere);
  const [atA, atB] = [a.take(), b.take()];
  expect(atB).toEqual([1, 2]);
  way.accept();
  if (hasFence) await until(() => a.consumers.all().length === 0);
  return atA.filter((id) => atB.includes(id));
}

describeWith("nats-server", "a node that serves consumers and is cut off", () => {
  test("hands out nothing when another one has taken over", async () => {
    expect(await handedOutTwice(true)).toEqual([]);
  });

  // Without this test, one that detects nothing would look like a working fence.
  test("would hand out what the other one hands out, without the fence", async () => {
    expect(await handedOutTwice(false)).toEqual([1, 2]);
  });

  test("records nothing that the other one does not know of", async () => {
    using folder = new TempFolder();
    await using nats = await NatsServer.start({ syncInterval: "10s" });
    using way = new TcpProxy(`http://127.0.0.1:${nats.port}`);
    await using a = new ServingNode(way.url.replace("http:", "nats:"), folder.file("a.db"));
    await using b = new ServingNode(nats.url, folder.file("b.db"));
    await a.node.ready();
    await b.node.ready();
    await a.node.cluster.consumers.find(true);
    await a.consumers.set("work", { pattern: ["*"] }, "now");
    await b.node.log.append([draft("x")]);
    await until(() => a.node.log.head === 1);
    const work = a.consumers.get("work");
    const names = work.take(1).map(({ delivery }) => delivery);
    way.refuse();
    await until(() => b.isHere);
    expect(work.ack(names)).toEqual({ done: 0, unknown: names });
    expect(b.take()).toEqual([1]);
    way.accept();
    await until(() => a.node.cluster.consumers.names().has("work") && a.consumers.all().length === 0);
  });
});
