import type { ControlMessage } from "../protocol/frames.ts";
import type { Event } from "./event.ts";
import type { EventLog, TopicMatcher } from "./ports.ts";
import type { Start } from "./start.ts";

/** What a cursor passes over: events, and what has to be said between them. */
export type Item = Event | ControlMessage;

export interface Taken {
  readonly items: readonly Item[];
  /** There is nothing more as of now: until the caller yields, whatever is committed next follows seamlessly. */
  readonly isAtEnd: boolean;
}

/**
 * A place in the history, and the wish for what comes after it. Every subscriber is one of these.
 *
 * It reads only as fast as it is asked to, and holds no more than a number: that is why a slow reader costs nothing
 * and loses nothing.
 */
export class Cursor {
  topics: TopicMatcher;
  readonly #log: EventLog;
  /** The last id that was passed. */
  #position: number;
  /** A replay was asked for, and its end has not been told yet. */
  #owesCaughtUp: boolean;

  constructor(log: EventLog, topics: TopicMatcher, start: Start, nowMs: number) {
    this.#log = log;
    this.topics = topics;
    this.#owesCaughtUp = start.kind !== "live";
    this.#position = positionOf(log, topics, start, nowMs);
  }

  get position(): number {
    return this.#position;
  }

  /** Moves to an event that the subscriber was given by other means. */
  moveTo(id: number): void {
    this.#position = id;
  }

  /** The next items, at most `limit` events. Tells a hole in its place, and once the end of the replay. */
  take(limit: number): Taken {
    const items: Item[] = [];
    this.#tellGap(items);
    const page = this.#log.read({ topics: this.topics }, this.#position, limit);
    this.#addPage(items, page.events, page.damaged);
    this.#position = Math.max(this.#position, page.end);
    if (page.done && this.#owesCaughtUp) {
      this.#owesCaughtUp = false;
      items.push({ type: "caught_up", id: this.#log.head });
    }
    return { items, isAtEnd: page.done };
  }

  /** Retention has passed the cursor: say so, and go on from the oldest event that is kept. */
  #tellGap(items: Item[]): void {
    const { floor } = this.#log;
    if (this.#position >= floor - 1) return;
    items.push({ type: "gap", after: this.#position, next: floor });
    this.#position = floor - 1;
  }

  /** A damaged event is a hole too. */
  #addPage(items: Item[], events: readonly Event[], damaged: readonly number[]): void {
    if (damaged.length === 0) {
      items.push(...events);
      return;
    }
    const gaps = runsOf(damaged).map(([first, last]): Item => ({ type: "gap", after: first - 1, next: last + 1 }));
    const place = (item: Item) => ("type" in item ? (item.type === "gap" ? item.after + 1 : 0) : item.id);
    items.push(...[...events, ...gaps].sort((a, b) => place(a) - place(b)));
  }
}

/** Ascending ids as runs of consecutive ones. */
function runsOf(ids: readonly number[]): [first: number, last: number][] {
  const runs: [number, number][] = [];
  for (const id of ids) {
    const run = runs.at(-1);
    if (run && run[1] === id - 1) run[1] = id;
    else runs.push([id, id]);
  }
  return runs;
}

function positionOf(log: EventLog, topics: TopicMatcher, start: Start, nowMs: number): number {
  switch (start.kind) {
    case "live":
    case "now":
      return log.head;
    case "after":
      return Math.min(start.id, log.head);
    case "time":
      return log.idBefore(start.timeMs);
    case "ago":
      return log.idBefore(nowMs - start.durationMs);
    case "all":
      return log.floor - 1;
    case "last":
      return beforeLast(log, topics, start.count);
  }
}

/** The position from which exactly the newest `count` matching events follow. */
function beforeLast(log: EventLog, topics: TopicMatcher, count: number): number {
  let missing = count;
  let before = log.head + 1;
  while (missing > 0) {
    const page = log.readBack({ topics }, before, missing);
    missing -= page.events.length;
    const oldest = page.events.at(-1);
    if (missing <= 0 && oldest) return oldest.id - 1;
    if (page.done) return log.floor - 1;
    before = page.end;
  }
  return log.head;
}
