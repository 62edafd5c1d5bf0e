import type { EventLog, TopicMatcher } from "../ports.ts";

/** Events that are counted in one call: about a millisecond. */
const PAGE_EVENTS = 500;

/**
 * Counts the matching events that a consumer has not begun. Once the count has reached the head it is kept by what is
 * published and begun, so it is exact and costs nothing.
 */
export class UnreadCount {
  readonly #log: EventLog;
  readonly #topics: TopicMatcher;
  #count = 0;
  /** Events up to this id are counted. */
  #countedTo: number;
  /** Everything that is published is counted as it comes. */
  #isExact = false;

  /** Counts after the id `position`. */
  constructor(log: EventLog, topics: TopicMatcher, position: number) {
    this.#log = log;
    this.#topics = topics;
    this.#countedTo = position;
  }

  /** At least this many, while it is not exact. */
  get count(): number {
    return this.#count;
  }

  get isExact(): boolean {
    return this.#isExact;
  }

  /** A matching event was published. */
  published(id: number): void {
    if (!this.#isExact) return;
    this.#count++;
    this.#countedTo = id;
  }

  /** A matching event was begun. */
  begun(id: number): void {
    if (id > this.#countedTo) this.#countedTo = id;
    else if (this.#count > 0) this.#count--;
  }

  /** A matching event was passed, but waits for others before it. */
  passed(id: number): void {
    if (id <= this.#countedTo) return;
    this.#countedTo = id;
    this.#count++;
  }

  /** Events were removed before they were begun: counts again after this id. */
  restart(position: number): void {
    this.#count = 0;
    this.#countedTo = position;
    this.#isExact = false;
  }

  /** Counts some more; returns whether the count is exact now. */
  countOn(): boolean {
    if (this.#isExact) return true;
    const { head, floor } = this.#log;
    if (this.#topics.isEverything) {
      this.#count += Math.max(0, head - Math.max(this.#countedTo, floor - 1));
      this.#countedTo = Math.max(head, this.#countedTo);
      this.#isExact = true;
      return true;
    }
    const page = this.#log.read({ topics: this.#topics }, this.#countedTo, PAGE_EVENTS);
    this.#count += page.events.length;
    this.#countedTo = Math.max(this.#countedTo, page.end);
    this.#isExact = page.done;
    return page.done;
  }
}
