import { Cursor, type Item } from "../cursor.ts";
import type { EventLog, TopicMatcher } from "../ports.ts";
import { UnreadCount } from "./unread.ts";

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
  #isAtEnd = false;
  #hasNews = false;

  /** Starts after the id `position`. */
  constructor(log: EventLog, topics: TopicMatcher, position: number) {
    this.#log = log;
    this.#cursor = new Cursor(log, topics, position);
    this.unread = new UnreadCount(log, topics, position);
    this.#passedTo = position;
  }

  /** Everything up to this id was returned, or does not match. */
  get passedTo(): number {
    if (this.#isAtEnd && !this.#hasNews && this.#index === this.#ahead.length) {
      this.#passedTo = this.#log.head;
      this.#cursor.moveTo(this.#passedTo);
    }
    return this.#passedTo;
  }

  /** A matching event was published. */
  published(id: number): void {
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

  #read(): "end" | "later" {
    if (this.#isAtEnd && !this.#hasNews) return "end";
    // What does not match was passed since the last read.
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
