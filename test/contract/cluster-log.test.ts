import { afterAll, beforeAll } from "bun:test";
import type { EventLog } from "../../src/bus/ports.ts";
import { ClusterNode } from "../helpers/cluster-node.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";
import type { LogUnderTest } from "./bench.ts";
import { describeEventLog } from "./event-log.contract.ts";

describeWith("nats-server", "a node of a cluster", () => {
  let nats: NatsServer;
  let streams = 0;

  beforeAll(async () => {
    nats = await NatsServer.start({ syncInterval: "10s" });
  });
  afterAll(() => nats[Symbol.asyncDispose]());

  describeEventLog("the log of a node", (clock) => NodeUnderTest.open(nats.url, `s${++streams}`, clock));
});

class NodeUnderTest implements LogUnderTest {
  readonly #folder = new TempFolder();
  readonly #opened: ClusterNode[] = [];
  readonly #url: string;
  readonly #name: string;
  readonly #clock: () => number;
  #path = this.#folder.file();

  static async open(url: string, name: string, clock: () => number): Promise<NodeUnderTest> {
    const under = new NodeUnderTest(url, name, clock);
    await under.#open();
    return under;
  }

  constructor(url: string, name: string, clock: () => number) {
    this.#url = url;
    this.#name = name;
    this.#clock = clock;
  }

  get log(): EventLog {
    const node = this.#opened.at(-1);
    if (node === undefined) throw new Error("no log is open");
    return node.log;
  }

  async reopen(): Promise<EventLog> {
    await this.log.close();
    return this.#open();
  }

  async crash(): Promise<EventLog> {
    this.#path = this.#folder.copyDatabase(this.#path, `copy-${this.#opened.length}.db`);
    return this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((node) => node[Symbol.asyncDispose]()));
    this.#folder[Symbol.dispose]();
  }

  async #open(): Promise<EventLog> {
    const node = new ClusterNode({ url: this.#url, name: this.#name, path: this.#path, clock: this.#clock });
    this.#opened.push(node);
    return (await node.ready()).log;
  }
}
