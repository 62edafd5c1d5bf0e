import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";
import { FrameTaker } from "./frame-taker.ts";
import { FrameReader } from "./frames.ts";
import { describeAnswer, HttpConnection } from "./http-connection.ts";
import { httpRequest, topicName } from "./requests.ts";
import { Subscriber } from "./subscriber.ts";

const TOPICS = 1000;
/** Credit of a worker: more than comes while an acknowledgement is under way. */
const CREDIT = 100;

interface RateOptions {
  readonly port: number;
  /** Port of the server that is subscribed to; default: the same. */
  readonly subscribePort?: number;
  /** Publishes a second, whether or not the earlier ones are answered. */
  readonly rate: number;
  /** How many publishes may be under way; one more waits, and its wait counts. */
  readonly connections: number;
  /** Distinct topics, drawn at random; default is 1,000. */
  readonly topics?: number;
  /** Each publish carries it. */
  readonly token?: string | undefined;
}

interface SteadyOptions extends RateOptions {
  readonly seconds: number;
  /** What each publish is sent with; none when left out. */
  readonly token?: string | undefined;
  /** Address of a WebSocket on which the events are awaited too. */
  readonly subscribePath?: string;
  /** A consumer that this WebSocket takes them from, instead of subscribing to them. */
  readonly consumer?: string;
}

interface SteadyResult {
  /** From when an event was due to be published until its answer. */
  readonly answeredMs: number[];
  /** From when an event was due to be published until a subscriber had it. */
  readonly deliveredMs: number[];
  readonly generatorBusy: number;
}

/** Between `begin` and `end`. */
let begun: { readonly steady: Steady; readonly stretch: Stretch } | undefined;

const commands = {
  async publish(options: SteadyOptions): Promise<SteadyResult> {
    const { port, subscribePort = port, subscribePath, consumer, seconds } = options;
    const steady = new Steady(options);
    const reader = new FrameReader((text) => steady.delivered(text));
    const subscriber =
      consumer === undefined
        ? subscribePath && (await Subscriber.open(subscribePort, "websocket", subscribePath, reader))
        : await FrameTaker.open(port, consumer, CREDIT, (text) => steady.delivered(text));
    await steady.start();
    const stretch = new Stretch();
    await Bun.sleep(seconds * 1000);
    const generatorBusy = stretch.busy;
    await steady.stop(subscriber ? 200 : 0);
    if (subscriber) subscriber.close();
    return { answeredMs: steady.answeredMs, deliveredMs: steady.deliveredMs, generatorBusy };
  },

  /** Publishes until `end`; resolves when it is under way. */
  async begin(options: RateOptions): Promise<void> {
    const steady = new Steady(options);
    await steady.start();
    begun = { steady, stretch: new Stretch() };
  },

  async end(): Promise<SteadyResult> {
    if (begun === undefined) throw new Error("nothing has begun");
    const { steady, stretch } = begun;
    const generatorBusy = stretch.busy;
    await steady.stop(0);
    return { answeredMs: steady.answeredMs, deliveredMs: [], generatorBusy };
  },
};
export type SteadyCommands = typeof commands;
answerCommands(commands);

/** Publishes by the clock. Each event carries the time when it was due. */
class Steady {
  readonly answeredMs: number[] = [];
  readonly deliveredMs: number[] = [];
  /** Used in turn: a server cuts a connection that nothing comes on. */
  readonly #idle: HttpConnection[] = [];
  /** When the events that wait for a connection were due. */
  readonly #due: number[] = [];
  #timer: Timer | undefined;
  #underWay = 0;
  #fault: Error | undefined;
  readonly #options: RateOptions;

  constructor(options: RateOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { port, connections, rate } = this.#options;
    const opening = Array.from({ length: connections }, () => HttpConnection.open(port));
    this.#idle.push(...(await Promise.all(opening)));
    const startMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      // Noticed now, so that a timer that is late makes no event look slow.
      const nowMs = performance.now();
      for (; sent < ((nowMs - startMs) / 1000) * rate; sent++) this.#due.push(nowMs);
      this.#sendDue();
    }, 1);
  }

  delivered(text: string): void {
    const [, dueMs] = /"due":([\d.]+)/.exec(text) ?? [];
    if (dueMs !== undefined) this.deliveredMs.push(performance.now() - Number(dueMs));
  }

  /** Resolves this long after all is answered. Rejects when a publish failed. */
  async stop(graceMs: number): Promise<void> {
    clearInterval(this.#timer);
    while ((this.#underWay > 0 || this.#due.length > 0) && this.#fault === undefined) await Bun.sleep(1);
    await Bun.sleep(graceMs);
    for (const connection of this.#idle) connection.close();
    if (this.#fault) throw this.#fault;
  }

  #sendDue(): void {
    while (this.#due.length > 0) {
      const connection = this.#idle.shift();
      if (connection === undefined) return;
      this.#send(connection, this.#due.shift() ?? 0);
    }
  }

  #send(connection: HttpConnection, dueMs: number): void {
    const { topics = TOPICS, token } = this.#options;
    const topic = topicName(Math.floor(Math.random() * topics));
    const body = JSON.stringify({ topic, data: { due: dueMs, text: "x".repeat(80) } });
    this.#underWay++;
    connection.onAnswer = (_, status, body) => {
      if (status !== 200) this.#fault ??= new Error(describeAnswer(status, body));
      this.answeredMs.push(performance.now() - dueMs);
      this.#underWay--;
      this.#idle.push(connection);
      this.#sendDue();
    };
    connection.send(httpRequest("POST", "/api/events/publish", { body, token }));
  }
}
