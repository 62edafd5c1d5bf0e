import { EventBusError, type TopicSummary } from "../../client/index.ts";
import { isUnreachable } from "./answer.ts";
import type { Session } from "./session.ts";
import { Store } from "./store.ts";

/** Between two questions, in milliseconds. */
const POLL_MS = 2000;
/** After the server refused or did not answer. */
const FAILED_POLL_MS = 30_000;
/** A server that takes long to answer is asked more rarely: it shall spend no more than this part of its time on it. */
const LOAD_SHARE = 0.02;
/** Polls that the curve shows: two minutes. */
export const RATE_SLOTS = 60;

export interface WatchedTopic extends TopicSummary {
  /** Events a second between successive polls, oldest first. */
  readonly rates: readonly number[];
}

/** Asks for all topics from the moment somebody first wants to see them, so that the curves have no holes. */
export class TopicWatch extends Store {
  readonly #session: Session;
  #topics: ReadonlyMap<string, WatchedTopic> | undefined;
  #askedMs = 0;
  #error: EventBusError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStarted = false;

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

  /** May be called again. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#session.onChange(() => {
      clearTimeout(this.#timer);
      void this.#poll();
    });
    void this.#poll();
  }

  /** Asks at once, if the last question found no server and the next one is not under way. */
  retry(): void {
    if (!isUnreachable(this.#error) || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    void this.#poll();
  }

  async #poll(): Promise<void> {
    this.#timer = undefined;
    const startedMs = performance.now();
    try {
      const found = await this.#session.client.topics();
      this.#take(found, performance.now());
      this.#error = undefined;
    } catch (error) {
      if (!(error instanceof EventBusError)) throw error;
      this.#session.note(error);
      // Another poll goes on with another token.
      if (error.code === "closed") return;
      this.#error = error;
    }
    this.changed();
    this.#timer = setTimeout(() => void this.#poll(), this.#pauseMs(performance.now() - startedMs));
  }

  /** How long a failure took says nothing of the server's load: most of it is waiting for a server that is away. */
  #pauseMs(tookMs: number): number {
    return this.#error === undefined ? Math.max(POLL_MS, tookMs / LOAD_SHARE) : FAILED_POLL_MS;
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
