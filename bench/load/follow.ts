import { answerCommands } from "./commands.ts";
import { Stretch } from "./cpu.ts";
import { HttpConnection } from "./http-connection.ts";
import { IdReader } from "./id-reader.ts";
import { httpRequest } from "./requests.ts";
import { Subscriber } from "./subscriber.ts";

/** Handshakes under way at a time. */
const OPENING_AT_A_TIME = 100;
/** Between two looks at many sockets we sleep, so that each look finds more and the reading costs less. */
const REST_MS = 10;
const MANY_SOCKETS = 100;
const SAMPLE_MS = 1000;
const HISTORY_PATH = "/api/events/history";
const NEWEST = httpRequest("GET", `${HISTORY_PATH}?last=1`);
/** The most events that one question to the history returns. */
const PAGE = 10_000;

/** One WebSocket that resumes. */
export interface ReaderOptions {
  readonly path: string;
  /** The last id that it had. */
  readonly after: number;
  /** What it got is compared with what the history has of this pattern; left out: ids must rise by one. */
  readonly pattern?: string;
}

interface FollowOptions {
  readonly port: number;
  readonly readers: readonly ReaderOptions[];
  /** How many of those with a pattern are compared with the history. */
  readonly compared: number;
  readonly maxSeconds: number;
}

export interface Followed {
  /** From the first connect until the last reader was live; `maxSeconds` when not all of them were by then. */
  readonly seconds: number;
  /** After each second since the first connect, and at its end: readers that were live. */
  readonly live: readonly number[];
  /** At the first connect, after each second, and at the end: events from the reader furthest behind to the newest event. */
  readonly lags: readonly number[];
  readonly eventsPerSecond: number;
  readonly generatorBusy: number;
}

const commands = {
  /** Opens readers, and resolves when all are live or the time is over. Rejects when one gets anything wrong. */
  async follow(options: FollowOptions): Promise<Followed> {
    const readers = options.readers.map((reader, index) => new Reader(reader, index < options.compared));
    const rest = setInterval(() => {
      if (readers.length >= MANY_SOCKETS) Bun.sleepSync(REST_MS);
    }, 1);
    try {
      const followed = await new Sweep(options, readers).run();
      for (const reader of readers) await reader.check(options.port);
      return followed;
    } finally {
      clearInterval(rest);
    }
  },
};
export type FollowCommands = typeof commands;
answerCommands(commands);

/** All readers on their way to the head. */
class Sweep {
  readonly #options: FollowOptions;
  readonly #readers: readonly Reader[];
  readonly #live: number[] = [];
  readonly #lags: number[] = [];

  constructor(options: FollowOptions, readers: readonly Reader[]) {
    this.#options = options;
    this.#readers = readers;
  }

  async run(): Promise<Followed> {
    const { port, maxSeconds } = this.#options;
    const asking = await HttpConnection.open(port, { wantsBody: true });
    this.#lags.push(await this.#lag(asking));
    const stretch = new Stretch();
    const opening = this.#open();
    let nextMs = SAMPLE_MS;
    while (this.#liveCount < this.#readers.length && stretch.seconds < maxSeconds) {
      await Bun.sleep(2);
      if (stretch.seconds * 1000 < nextMs) continue;
      nextMs += SAMPLE_MS;
      await this.#sample(asking);
    }
    const { seconds, busy } = stretch;
    await opening;
    await this.#sample(asking);
    asking.close();
    for (const reader of this.#readers) reader.close();
    const events = this.#readers.reduce((sum, { ids }) => sum + ids.events, 0);
    return {
      seconds: Math.min(seconds, maxSeconds),
      live: this.#live,
      lags: this.#lags,
      eventsPerSecond: events / seconds,
      generatorBusy: busy,
    };
  }

  get #liveCount(): number {
    return this.#readers.reduce((sum, { ids }) => sum + (ids.isLive ? 1 : 0), 0);
  }

  async #open(): Promise<void> {
    for (let opened = 0; opened < this.#readers.length; opened += OPENING_AT_A_TIME) {
      const batch = this.#readers.slice(opened, opened + OPENING_AT_A_TIME);
      await Promise.all(batch.map((reader) => reader.open(this.#options.port)));
    }
  }

  async #sample(asking: HttpConnection): Promise<void> {
    this.#live.push(this.#liveCount);
    this.#lags.push(await this.#lag(asking));
  }

  async #lag(asking: HttpConnection): Promise<number> {
    const [newest] = idsOf((await asking.ask(NEWEST))?.toString());
    const furthest = this.#readers.reduce((least, { ids }) => Math.min(least, ids.lastId), Number.POSITIVE_INFINITY);
    return (newest ?? 0) - furthest;
  }
}

class Reader {
  readonly ids: IdReader;
  readonly #options: ReaderOptions;
  readonly #isCompared: boolean;
  #subscriber: Subscriber | undefined;

  constructor(options: ReaderOptions, isCompared: boolean) {
    this.#options = options;
    this.#isCompared = isCompared && options.pattern !== undefined;
    this.ids = new IdReader({
      after: options.after,
      isGapless: options.pattern === undefined,
      keepsIds: this.#isCompared,
    });
  }

  async open(port: number): Promise<void> {
    this.#subscriber = await Subscriber.open(port, "websocket", this.#options.path, this.ids);
  }

  close(): void {
    if (this.#subscriber?.isClosed) this.ids.fault ||= "the server closed a connection";
    this.#subscriber?.close();
  }

  /** Rejects when what came was not what the history has from its start on, up to the last that came. */
  async check(port: number): Promise<void> {
    if (this.ids.fault !== "") throw new Error(`a reader got something wrong: ${this.ids.fault}`);
    if (!this.#isCompared || this.ids.ids.length >= PAGE) return;
    const { pattern = "*", after } = this.#options;
    const query = new URLSearchParams({ topic: pattern, after: String(after), last: String(PAGE) });
    const answer = await fetch(`http://127.0.0.1:${port}${HISTORY_PATH}?${query}`);
    const kept = idsOf(await answer.text()).filter((id) => id <= this.ids.lastId);
    if (kept.join() !== this.ids.ids.join()) {
      throw new Error(`a reader got ${this.ids.ids.length} events of ${pattern}, and the history has ${kept.length}`);
    }
  }
}

function idsOf(answer = "[]"): number[] {
  return (JSON.parse(answer) as { id: number }[]).map(({ id }) => id);
}
