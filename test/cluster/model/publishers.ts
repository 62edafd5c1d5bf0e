import type { Cluster } from "../../helpers/cluster.ts";
import { TestSocket } from "../../helpers/socket.ts";
import type { Random } from "../../model/random.ts";
import type { Record } from "./record.ts";

/** How long one attempt waits: a frozen node says nothing. */
const ATTEMPT_MS = 1500;
const PAUSE_MS = 50;
const MAX_LINES = 20;

/** Publishes in every way, at every node, until it is stopped; tries again elsewhere until it is acknowledged. */
export class Publisher {
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #record: Record;
  readonly #name: string;
  #count = 0;
  #isStopping = false;
  readonly #running: Promise<void>;

  constructor(name: string, cluster: Cluster, random: Random, record: Record) {
    this.#name = name;
    this.#cluster = cluster;
    this.#random = random;
    this.#record = record;
    this.#running = this.#run();
  }

  /** Resolves once everything that it has begun is acknowledged. */
  stop(): Promise<void> {
    this.#isStopping = true;
    return this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const way = this.#random.weighted({ one: 5, topic: 2, lines: 2, socket: 3 });
      if (way === "socket") await this.#bySocket().catch(() => {});
      else await this.#byHttp(way);
      await Bun.sleep(this.#random.whole(0, 20));
    }
  }

  #value(): string {
    const value = `${this.#name}.${this.#count++}`;
    this.#record.sent.add(value);
    return value;
  }

  async #byHttp(way: "one" | "topic" | "lines"): Promise<void> {
    const values = this.#random.list(way === "lines" ? this.#random.whole(2, MAX_LINES) : 1, () => this.#value());
    const envelope = (value: string) => JSON.stringify({ topic: topicOf(value), data: { value }, source: this.#name });
    const body = way === "topic" ? JSON.stringify({ value: values[0] }) : values.map(envelope).join("\n");
    const path = `/api/events/publish${way === "topic" ? `/${topicOf(values[0] ?? "")}?source=${this.#name}` : ""}`;
    const headers = {
      "Content-Type": way === "lines" ? "application/x-ndjson" : "application/json",
      "Idempotency-Key": crypto.randomUUID(),
    };
    for (;;) {
      const node = this.#random.pick(this.#cluster.nodes);
      const answer = await node
        .ask(path, { method: "POST", body, headers, signal: AbortSignal.timeout(ATTEMPT_MS) })
        .then(async (response) => ({ status: response.status, text: await response.text() }))
        .catch(() => undefined);
      if (answer?.status === 200) return this.#acknowledge(values, answer.text);
      if (answer && answer.status < 500) throw new Error(`a publish was rejected: ${answer.text}`);
      await Bun.sleep(PAUSE_MS);
    }
  }

  #acknowledge(values: readonly string[], text: string): void {
    const { id, first_id = id }: { id?: number; first_id?: number } = JSON.parse(text);
    values.forEach((value, index) => {
      this.#record.acknowledge(value, (first_id ?? 0) + index);
    });
  }

  /** Frames have no key: what is not acknowledged may be stored or not. */
  async #bySocket(): Promise<void> {
    using socket = await TestSocket.open(this.#random.pick(this.#cluster.nodes).url, "pattern=none");
    // An unanswered frame ends the connection, and with it this method.
    const timer = setTimeout(() => socket.close(), ATTEMPT_MS);
    try {
      await this.#sendFrames(socket);
    } finally {
      clearTimeout(timer);
    }
  }

  async #sendFrames(socket: TestSocket): Promise<void> {
    for (let left = this.#random.whole(1, 10); left > 0; left--) {
      const value = this.#value();
      const frame = { type: "publish", ref: left, topic: topicOf(value), data: { value }, source: this.#name };
      const { type, event } = await socket.ask<{ type: string; event?: { id: number } }>(frame);
      if (type === "ack" && event) this.#record.acknowledge(value, event.id);
    }
  }
}

function topicOf(value: string): string {
  return `topic.${Number(value.split(".")[1]) % 7}`;
}
