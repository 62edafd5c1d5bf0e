import type { ControlMessage } from "../protocol/frames.ts";
import type { Cursor } from "./cursor.ts";
import { Event } from "./event.ts";

/** Events read ahead at a time for a library subscriber. */
const READ_AHEAD = 100;

export interface SubscriberOptions {
  /** Called in the place of events that retention removed before they could be read, and at the end of a replay. */
  onControl?: (message: ControlMessage) => void;
}

/**
 * Receives every event that matches, in id order, once, as an async iterable.
 *
 * It is pulled: however slowly the loop that reads it goes on, nothing is dropped and memory stays bounded, for the
 * events wait in the history. Ends when `Bus.unsubscribe` or `Bus.stop` is called.
 */
export class Subscriber implements AsyncIterableIterator<Event>, AsyncDisposable {
  readonly #cursor: Cursor;
  readonly #onControl: (message: ControlMessage) => void;
  readonly #onClose: (subscriber: Subscriber) => void;
  #buffer: Event[] = [];
  #waiting: (() => void) | undefined;
  /** Nothing that matches lies beyond the cursor, until `deliver` says otherwise. */
  #isAtEnd = false;
  #isClosed = false;

  /** Made by `Bus.subscribe`. */
  constructor(cursor: Cursor, onClose: (subscriber: Subscriber) => void, options: SubscriberOptions = {}) {
    this.#cursor = cursor;
    this.#onClose = onClose;
    this.#onControl = options.onControl ?? (() => {});
  }

  async next(): Promise<IteratorResult<Event, undefined>> {
    while (!this.#isClosed) {
      const event = this.#buffer.shift();
      if (event) return { done: false, value: event };
      if (!this.#fill()) await new Promise<void>((resolve) => (this.#waiting = resolve));
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

  /** Called by the bus with each matching event once it is committed. */
  deliver(event: Event): void {
    if (!this.#isAtEnd) return;
    this.#isAtEnd = false;
    // What lies between did not match: retention may have it without a gap being told.
    this.#cursor.moveTo(event.id - 1);
    this.#wake();
  }

  /** Ends the iteration; may be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose(this);
    this.#wake();
  }

  #wake(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }

  /** False when there is nothing to read as of now. */
  #fill(): boolean {
    if (this.#isAtEnd) return false;
    const { items, isAtEnd } = this.#cursor.take(READ_AHEAD);
    this.#isAtEnd = isAtEnd;
    for (const item of items) {
      if (item instanceof Event) this.#buffer.push(item);
      else this.#onControl(item);
    }
    return items.length > 0 || !isAtEnd;
  }
}
