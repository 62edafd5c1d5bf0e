import type { ControlMessage } from "../protocol/frames.ts";
import type { Cursor } from "./cursor.ts";
import { Event } from "./event.ts";
import { Follower } from "./follower.ts";
import type { Interest, InterestTable } from "./interest.ts";
import type { TopicMatcher } from "./ports.ts";

/** Events read ahead at a time from history. */
const READ_AHEAD = 100;
/** Live events that wait for the loop that reads; with more, it reads from history instead. */
const MAX_WAITING = 1000;

export interface SubscriberOptions {
  /** Called in the place of events that retention removed before they could be read, and at the end of a replay. */
  onControl?: (message: ControlMessage) => void;
}

/**
 * Receives every event that matches, in id order, once, as an async iterable.
 *
 * However slowly the loop that reads it goes on, nothing is dropped and memory stays bounded, for the events wait in
 * the history. Ends when `Bus.unsubscribe` or `Bus.stop` is called, or the loop is left.
 */
export class Subscriber implements AsyncIterableIterator<Event>, AsyncDisposable {
  readonly #follower: Follower;
  readonly #onControl: (message: ControlMessage) => void;
  readonly #onClose: (subscriber: Subscriber) => void;
  #waiting: Event[] = [];
  #sleepers: (() => void)[] = [];
  #isClosed = false;

  /** Made by `Bus.subscribe`. */
  constructor(
    parts: { topics: TopicMatcher; cursor: Cursor; interests: InterestTable },
    onClose: (subscriber: Subscriber) => void,
    options: SubscriberOptions = {},
  ) {
    const interest: Interest = { topics: parts.topics, deliver: (event) => this.#deliver(event) };
    this.#follower = new Follower(parts.cursor, {
      join: () => parts.interests.add(interest),
      leave: () => parts.interests.remove(interest),
    });
    this.#onClose = onClose;
    this.#onControl = options.onControl ?? (() => {});
  }

  async next(): Promise<IteratorResult<Event, undefined>> {
    while (!this.#isClosed) {
      const event = this.#waiting.shift();
      if (event) return { done: false, value: event };
      if (this.#follower.isLive) await new Promise<void>((resolve) => this.#sleepers.push(resolve));
      else this.#readOn();
    }
    return { done: true, value: undefined };
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
    this.#follower.close();
    this.#onClose(this);
    this.#wakeUp();
  }

  #deliver(event: Event): void {
    this.#waiting.push(event);
    if (this.#waiting.length >= MAX_WAITING) this.#follower.fallBehind(event.id);
    this.#wakeUp();
  }

  #readOn(): void {
    for (const item of this.#follower.read(READ_AHEAD)) {
      if (item instanceof Event) this.#waiting.push(item);
      else this.#onControl(item);
    }
  }

  #wakeUp(): void {
    for (const wake of this.#sleepers.splice(0)) wake();
  }
}
