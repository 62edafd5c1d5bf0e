import { EventBusError, type TopicSummary } from "../../client/index.ts";
import type { Session } from "./session.ts";
import { Store } from "./store.ts";

/** Between two questions, in milliseconds. */
const POLL_MS = 2000;
/** A server that takes long to answer is asked more rarely: it shall spend no more than this part of its time on it. */
const LOAD_SHARE = 0.1;
/** Polls that the curve shows: two minutes. */
export const RATE_SLOTS = 60;

export interface WatchedTopic extends TopicSummary {
  /** Events a second between successive polls, oldest first. */
  readonly rates: readonly number[];
}

/** Asks for all topics for as long as it is watched. */
export class TopicWatch extends Store {
  readonly #session: Session;
  #topics: ReadonlyMap<string, WatchedTopic> | undefined;
  #askedMs = 0;
  #error: EventBusError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isWatched = false;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  /** Undefined before the first answer. */
  get topics(): readonly WatchedTopic[] | undefined {
    return this.#topics && [...this.#topics.values()];
  }

  get error(): EventBusError | undefined {
    return this.#error;
  }

  start(): void {
    this.#isWatched = true;
    void this.#poll();
  }

  stop(): void {
    this.#isWatched = false;
    clearTimeout(this.#timer);
  }

  async #poll(): Promise<void> {
    const startedMs = performance.now();
    try {
      const found = await this.#session.client.topics();
      this.#take(found, performance.now());
      this.#error = undefined;
    } catch (error) {
      if (!(error instanceof EventBusError)) throw error;
      this.#session.note(error);
      if (error.code !== "closed") this.#error = error;
    }
    if (!this.#isWatched) return;
    this.changed();
    const tookMs = performance.now() - startedMs;
    this.#timer = setTimeout(() => void this.#poll(), Math.max(POLL_MS, tookMs / LOAD_SHARE));
  }

  /** A count that went down says nothing of the rate: retention removed more than was published. */
  #take(found: readonly TopicSummary[], nowMs: number): void {
    const seconds = (nowMs - this.#askedMs) / 1000;
    const before = this.#topics;
    const rateOf = ({ topic, count }: TopicSummary) => Math.max(0, count - (before?.get(topic)?.count ?? 0)) / seconds;
    this.#topics = new Map(
      found.map((summary) => {
        const rates = before === undefined ? [] : [...(before.get(summary.topic)?.rates ?? []), rateOf(summary)];
        return [summary.topic, { ...summary, rates: rates.slice(-RATE_SLOTS) }];
      }),
    );
    this.#askedMs = nowMs;
  }
}
