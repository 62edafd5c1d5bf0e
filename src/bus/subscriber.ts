import type { ControlMessage } from "../protocol/frames.ts";
import type { Cursor, Item } from "./cursor.ts";
import { Event } from "./event.ts";
import { Follower } from "./follower.ts";
import type { Interest, InterestTable } from "./interest.ts";
import type { Meter } from "./meter.ts";
import type { TopicMatcher } from "./ports.ts";
import type { Tuning } from "./tuning.ts";

export interface SubscriberParts {
  readonly topics: TopicMatcher;
  readonly cursor: Cursor;
  readonly interests: InterestTable;
  readonly tuning: Tuning;
  readonly meter: Meter;
  /** Called in the place of events that retention removed before they could be read, and at the end of a replay. */
  readonly onControl: (message: ControlMessage) => void;
  readonly onClose: () => void;
}

/**
 * Receives every event that matches, in id order, once, as an async iterable.
 *
 * However slowly the loop that reads it goes on, nothing is dropped and memory stays bounded, for the events wait in
 * the history. Ends when `Bus.unsubscribe` or `Bus.stop` is called, or the loop is left.
 */
export class Subscriber implements AsyncIterableIterator<Event>, AsyncDisposable {
  readonly #parts: SubscriberParts;
  readonly #follower: Follower;
  #waiting: Item[] = [];
  #waitingCharacters = 0;
  /** Calls of `next` are answered one after another, in the order in which they were made. */
  #lastTurn: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};
  #isClosed = false;

  /** Made by `Bus.subscribe`. */
  constructor(parts: SubscriberParts) {
    const interest: Interest = { topics: parts.topics, deliver: (event) => this.#deliver(event) };
    this.#parts = parts;
    this.#follower = new Follower(parts.cursor, {
      join: () => parts.interests.add(interest),
      leave: () => parts.interests.remove(interest),
    });
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    const turn = this.#lastTurn.then(() => this.#next());
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }

  async return(): Promise<IteratorResult<Event, undefined>> {
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Ends the iteration; may be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
    this.#follower.close();
    this.#parts.onClose();
    this.#wake();
  }

  async #next(): Promise<IteratorResult<Event, undefined>> {
    while (!this.#isClosed) {
      const item = this.#waiting.shift();
      if (item === undefined) await this.#more();
      else if (item instanceof Event) {
        this.#waitingCharacters -= item.json.length;
        this.#parts.meter.deliver("library", 1, item.json.length);
        return { done: false, value: item };
      } else this.#parts.onControl(item);
    }
    return { done: true, value: undefined };
  }

  /** Waits for a live event, or reads a page of history and gives everybody else a turn. */
  async #more(): Promise<void> {
    if (this.#follower.isLive) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      return;
    }
    for (const item of this.#follower.read(this.#parts.tuning.pageEvents)) this.#add(item);
    if (!this.#follower.isLive) await new Promise((resolve) => setImmediate(resolve));
  }

  #deliver(event: Event): void {
    this.#add(event);
    const { maxWaitingEvents, maxWaitingBytes } = this.#parts.tuning;
    const isSlow = this.#waiting.length >= maxWaitingEvents || this.#waitingCharacters > maxWaitingBytes;
    if (isSlow) this.#follower.fallBehind(event.id);
    this.#wake();
  }

  #add(item: Item): void {
    this.#waiting.push(item);
    if (item instanceof Event) this.#waitingCharacters += item.json.length;
  }
}
