import { Cursor, type Item } from "../cursor.ts";
import type { EventLog, TopicMatcher } from "../ports.ts";

/** Events read at a time, before takers need them. */
const PAGE_EVENTS = 128;

/** The matching events after a position, in order, and how many there are. */
export class Feed {
  /** The matching events that were not begun. */
  readonly unread: UnreadCount;
  readonly #log: EventLog;
  readonly #cursor: Cursor;
  /** Read, but not returned. */
  #ahead: readonly Item[] = [];
  #index = 0;
  #passedTo: number;
  #isAtEnd: boolean;
  #hasNews = false;

  /** Starts after the id `position`. */
  constructor(log: EventLog, topics: TopicMatcher, position: number) {
    this.#log = log;
    this.#cursor = new Cursor(log, topics, position);
    this.unread = new UnreadCount(log, topics, position);
    this.#passedTo = position;
    this.#isAtEnd = position >= log.head;
  }

  /** Everything up to this id was returned, or does not match. */
  get passedTo(): number {
    this.#passUpTo(this.#log.head);
    return this.#passedTo;
  }

  /** A matching event was published. */
  published(id: number): void {
    this.#passUpTo(id - 1);
    this.#hasNews = true;
    this.unread.published(id);
  }

  /** The next event or gap. `"end"` if there is none now; `"later"` if the search is not done: call again. */
  next(): Item | "end" | "later" {
    const item = this.#ahead[this.#index];
    if (item === undefined) return this.#read();
    this.#index++;
    if (!("type" in item)) this.#passedTo = item.id;
    else if (item.type === "gap") {
      this.#passedTo = item.next - 1;
      this.unread.restart(this.#passedTo);
    }
    return item;
  }

  /** At the end, passes what was published since, as it does not match: so retention cannot make a gap of it. */
  #passUpTo(id: number): void {
    if (!this.#isAtEnd || this.#hasNews || this.#index < this.#ahead.length) return;
    this.#passedTo = id;
    this.#cursor.moveTo(id);
  }

  #read(): "end" | "later" {
    if (this.#isAtEnd && !this.#hasNews) return "end";
    this.#hasNews = false;
    const { items, isAtEnd } = this.#cursor.take(PAGE_EVENTS);
    this.#isAtEnd = isAtEnd;
    this.#ahead = items;
    this.#index = 0;
    if (items.length > 0) return "later";
    this.#passedTo = this.#cursor.position;
    return isAtEnd ? "end" : "later";
  }
}

/** Events that are counted in one call: about a millisecond. */
const COUNTED_EVENTS = 500;

/**
 * Counts the matching events that a consumer has not begun. Once the count has reached the head, each event
 * that is published or begun updates it, so it is exact and costs nothing.
 */
class UnreadCount {
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

  /** While it is not exact, there are at least this many. */
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

  /** Counts more; returns whether the count is exact now. */
  countOn(): boolean {
    if (this.#isExact) return true;
    const { head, floor } = this.#log;
    if (this.#topics.isEverything) {
      this.#count += Math.max(0, head - Math.max(this.#countedTo, floor - 1));
      this.#countedTo = Math.max(head, this.#countedTo);
      this.#isExact = true;
      return true;
    }
    const page = this.#log.read({ topics: this.#topics }, this.#countedTo, COUNTED_EVENTS);
    this.#count += page.events.length;
    this.#countedTo = Math.max(this.#countedTo, page.end);
    this.#isExact = page.done;
    return page.done;
  }
}
