import type { ControlMessage } from "../protocol/frames.ts";
import type { Event } from "./event.ts";
import { Meter } from "./meter.ts";
import type { EventLog, Page, TopicMatcher } from "./ports.ts";

/** What a cursor passes: events, and the messages to report between them. */
export type Item = Event | ControlMessage;

export interface Taken {
  readonly items: readonly Item[];
  /** Nothing more is in the log now. Until the caller yields, the next commit follows without a gap or a repeat. */
  readonly isAtEnd: boolean;
}

/**
 * A position in the history, and the topics that are wanted after it. Every subscriber is one of these.
 *
 * It reads only when it is asked to, and holds no more than a number. So a slow reader costs nothing and loses nothing.
 */
export class Cursor {
  readonly topics: TopicMatcher;
  readonly #log: EventLog;
  readonly #meter: Meter;
  #position: number;

  /** Starts after the id `position`. */
  constructor(log: EventLog, topics: TopicMatcher, position: number, meter: Meter = new Meter()) {
    this.#log = log;
    this.#meter = meter;
    this.topics = topics;
    this.#position = position;
  }

  /** The last id that was passed. */
  get position(): number {
    return this.#position;
  }

  /** Continues after this id from now on. */
  moveTo(id: number): void {
    this.#position = id;
  }

  /** The next items, at most `limit` events. Reports a gap in its place. */
  take(limit: number): Taken {
    const gap = this.#passGap();
    return this.#pass(gap, this.#log.read({ topics: this.topics }, this.#position, limit));
  }

  /**
   * The next items of a part of the log that was read without a filter, from here or from before, up to `end`, and has
   * no damaged events. `matching` are those of its events that are wanted.
   */
  takeOf(end: number, matching: readonly Event[]): Taken {
    const gap = this.#passGap();
    const from = this.#position;
    return this.#pass(gap, {
      events: matching.filter(({ id }) => id > from),
      damaged: [],
      end,
      done: end >= this.#log.head,
    });
  }

  #pass(gap: readonly Item[], { events, damaged, end, done }: Page): Taken {
    this.#position = Math.max(this.#position, end);
    return { items: [...gap, ...this.#itemsOf(events, damaged)], isAtEnd: done };
  }

  /** If retention has passed the cursor, continues from the oldest event that is kept. */
  #passGap(): Item[] {
    const { floor } = this.#log;
    if (this.#position >= floor - 1) return [];
    const gap: Item = { type: "gap", after: this.#position, next: floor };
    this.#meter.gaps++;
    this.#position = floor - 1;
    return [gap];
  }

  /** The items of a page; damaged events are a gap, too. */
  #itemsOf(events: readonly Event[], damaged: readonly number[]): readonly Item[] {
    if (damaged.length === 0) return events;
    const gaps = runsOf(damaged).map(([first, last]): Item => ({ type: "gap", after: first - 1, next: last + 1 }));
    this.#meter.gaps += gaps.length;
    return [...events, ...gaps].sort((a, b) => firstIdOf(a) - firstIdOf(b));
  }
}

/** The first id that an item is about. */
export function firstIdOf(item: Item): number {
  if (!("type" in item)) return item.id;
  return item.type === "gap" ? item.after + 1 : item.id;
}

/** The last id that an item is about. */
export function lastIdOf(item: Item): number {
  return "type" in item && item.type === "gap" ? item.next - 1 : firstIdOf(item);
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
