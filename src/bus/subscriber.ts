import type { ControlMessage } from "../protocol/frames.ts";
import type { Cursor, Item } from "./cursor.ts";
import { Event } from "./event.ts";
import { whenReached } from "./interest/arrival.ts";
import type { Interest, InterestTable } from "./interest/interest.ts";
import type { Meter } from "./meter.ts";
import type { EventLog, TopicMatcher } from "./ports.ts";
import type { StartSearch } from "./start-search.ts";
import type { Tuning } from "./tuning.ts";

/** These hold more events than one turn of the loop can publish (10,000 in a body), so steady reading catches up. */
const MAX_PAGES_A_TURN = 64;

export interface SubscriberOptions {
  readonly log: Pick<EventLog, "head">;
  readonly topics: TopicMatcher;
  readonly start: StartSearch;
  readonly openCursor: (position: number) => Cursor;
  readonly interests: InterestTable;
  readonly tuning: Tuning;
  readonly meter: Meter;
  /** Called in the place of events that retention removed before they were read, and at the end of a replay. */
  readonly onControl: (message: ControlMessage) => void;
  readonly onClose: () => void;
}

/**
 * Receives every matching event, once, in id order, as an async iterable.
 *
 * However slow the loop that reads it, nothing is dropped and memory stays bounded, as the events are in the history.
 * Ends when `Bus.unsubscribe` or `Bus.stop` is called, or the loop is left.
 */
export class Subscriber implements AsyncIterableIterator<Event>, AsyncDisposable {
  readonly #log: Pick<EventLog, "head">;
  readonly #start: StartSearch;
  readonly #openCursor: (position: number) => Cursor;
  readonly #interests: InterestTable;
  readonly #tuning: Tuning;
  readonly #meter: Meter;
  readonly #onControl: (message: ControlMessage) => void;
  readonly #onClose: () => void;
  readonly #interest: Interest;
  /** Undefined while the start position is searched for. */
  #cursor: Cursor | undefined;
  #isLive = false;
  #owesCaughtUp: boolean;
  /** Pages read since the last yield to other work, and how many are allowed. */
  #pages = 0;
  #pagesATurn = 1;
  #waiting: Item[] = [];
  #waitingCharacters = 0;
  /** Calls of `next` resolve one after another, in the order in which they were made. */
  #lastTurn: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};
  #isClosed = false;

  /** Made by `Bus.subscribe`. */
  constructor(options: SubscriberOptions) {
    const { log, topics, start, openCursor, interests, tuning, meter, onControl, onClose } = options;
    this.#log = log;
    this.#start = start;
    this.#openCursor = openCursor;
    this.#interests = interests;
    this.#tuning = tuning;
    this.#meter = meter;
    this.#onControl = onControl;
    this.#onClose = onClose;
    this.#interest = { topics, deliver: (event) => this.#deliver(event) };
    this.#owesCaughtUp = start.isReplay;
    if (start.isReplay) meter.replays++;
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
    this.#leave();
    this.#onClose();
    this.#wake();
  }

  async #next(): Promise<IteratorResult<Event, undefined>> {
    while (!this.#isClosed) {
      const item = this.#waiting.shift();
      if (item === undefined) await this.#more();
      else if (item instanceof Event) {
        this.#waitingCharacters -= item.json.length;
        this.#meter.deliver("library", 1, item.bytes);
        return { done: false, value: item };
      } else this.#onControl(item);
    }
    return { done: true, value: undefined };
  }

  /** Waits for a live event, or reads a page of history and yields to other work. */
  async #more(): Promise<void> {
    if (this.#isLive) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      return;
    }
    if (this.#start.isWaiting) {
      await this.#reached(this.#start.awaitedId ?? 0);
      return;
    }
    this.#readOn(this.#tuning.pageEvents);
    if (this.#isLive) this.#pagesATurn = 1;
    else await this.#yield();
  }

  /** Waits for the history to reach an id, or for the end. */
  async #reached(id: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const stop = whenReached(this.#interests, this.#log, id, resolve);
    await promise;
    stop();
  }

  /** Yields to other work after some pages: after more of them, the longer it does not catch up. */
  async #yield(): Promise<void> {
    if (++this.#pages < this.#pagesATurn && this.#waiting.length > 0) return;
    this.#pages = 0;
    this.#pagesATurn = Math.min(MAX_PAGES_A_TURN, this.#pagesATurn * 2);
    await new Promise((resolve) => setImmediate(resolve));
  }

  /**
   * Reads a page. Reads of the history are synchronous and the bus delivers in the turn that commits, so no event can
   * come between the page that reaches the end and the first live event, or be in both.
   */
  #readOn(limit: number): void {
    this.#cursor ??= this.#begin(limit);
    if (this.#cursor === undefined) return;
    const { items, isAtEnd } = this.#cursor.take(limit);
    for (const item of items) this.#add(item);
    if (!isAtEnd) return;
    if (this.#owesCaughtUp) this.#add({ type: "caught_up", id: this.#cursor.position });
    this.#owesCaughtUp = false;
    this.#isLive = true;
    this.#interests.add(this.#interest);
  }

  /** Undefined while the start position is searched for. */
  #begin(limit: number): Cursor | undefined {
    const position = this.#start.step(limit);
    if (position === undefined) return undefined;
    if (this.#start.gap) {
      this.#meter.gaps++;
      this.#add(this.#start.gap);
    }
    return this.#openCursor(position);
  }

  #leave(): void {
    if (!this.#isLive) return;
    this.#isLive = false;
    this.#interests.remove(this.#interest);
  }

  #deliver(event: Event): void {
    this.#add(event);
    const { maxWaitingEvents, maxWaitingBytes } = this.#tuning;
    const isSlow = this.#waiting.length >= maxWaitingEvents || this.#waitingCharacters > maxWaitingBytes;
    if (isSlow) this.#fallBehind(event.id);
    this.#wake();
  }

  /** Continues from the history after the last event that was handed over. */
  #fallBehind(lastId: number): void {
    this.#meter.evictions++;
    this.#leave();
    this.#cursor?.moveTo(lastId);
  }

  #add(item: Item): void {
    this.#waiting.push(item);
    if (item instanceof Event) this.#waitingCharacters += item.json.length;
  }
}
