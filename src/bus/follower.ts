import type { Cursor, Item } from "./cursor.ts";
import type { TopicMatcher } from "./ports.ts";

/** How a subscriber takes part in what is published: from `join` on it is handed every matching event itself. */
export interface LivePart {
  join(): void;
  leave(): void;
}

/**
 * The one state machine behind every subscriber, whatever its transport.
 *
 * ```
 *          a page that reaches the end: same turn of the loop
 *   REPLAY ──────────────────────────────────────────────────► LIVE
 *     ▲  pages of history, only when they are asked for          │ handed every event
 *     └──────────────────────────────────────────────────────────┘
 *          too much waits for the reader: go on from the last event it was handed
 * ```
 *
 * Reads of the history are synchronous and the bus delivers in the turn that commits, so nothing can come between the
 * last page and the first live event, nor twice.
 */
export class Follower {
  readonly #cursor: Cursor;
  readonly #live: LivePart;
  #isLive = false;
  #isClosed = false;

  constructor(cursor: Cursor, live: LivePart) {
    this.#cursor = cursor;
    this.#live = live;
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /** The next items of the replay, at most `limit` events; none when live. May have become live when it returns. */
  read(limit: number): readonly Item[] {
    if (this.#isLive || this.#isClosed) return [];
    const { items, isAtEnd } = this.#cursor.take(limit);
    if (isAtEnd) this.#join();
    return items;
  }

  /** The reader is too slow to stay live; `lastId` is the last event that it was handed. */
  fallBehind(lastId: number): void {
    if (!this.#isLive) return;
    this.#cursor.meter.evictions++;
    this.#goBack(lastId);
  }

  /** Wants other topics from now on, `head` being the newest event: what was wanted already goes on seamlessly. */
  changeTopics(topics: TopicMatcher, head: number): void {
    const wasLive = this.#isLive;
    if (wasLive) this.#goBack(head);
    this.#cursor.topics = topics;
    if (wasLive) this.#join();
  }

  /** Takes part in nothing more; may be called twice. */
  close(): void {
    this.#isClosed = true;
    if (this.#isLive) this.#leave();
  }

  #goBack(lastId: number): void {
    this.#leave();
    this.#cursor.moveTo(lastId);
  }

  #join(): void {
    this.#isLive = true;
    this.#live.join();
  }

  #leave(): void {
    this.#isLive = false;
    this.#live.leave();
  }
}
