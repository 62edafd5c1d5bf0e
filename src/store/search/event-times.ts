import type { Bounds } from "../events/bounds.ts";
import type { EventTable } from "../events/event-table.ts";

/** The times of events with ids that are multiples of this are kept: between them, a search reads only a few pages. */
const KEPT_EVERY = 512;
/** Times that are kept: those of 33 million events, in 3 MB. */
const MAX_KEPT = 65_536;
/** Results that are kept for the next page of a search: those of more searches than are under way at a time. */
const MAX_RESULTS = 1024;

/**
 * The times of the events. They rise with the ids, so a time is found by halving ids; no index on time is needed.
 *
 * The ids that are examined first are multiples of large powers of two, so most searches examine the same ones, whatever
 * has been published and pruned in between. Their times are kept.
 */
export class EventTimes {
  readonly #bounds: Bounds;
  readonly #events: EventTable;
  readonly #kept = new Map<number, number>();
  /** By time: the newest event before it. Only those that have an event after them, so that they stay true. */
  readonly #results = new Map<number, number>();

  constructor(bounds: Bounds, events: EventTable) {
    this.#bounds = bounds;
    this.#events = events;
  }

  /**
   * The time of the event, in milliseconds since 1970; if it is not kept or damaged, that of the nearest event that is
   * intact.
   */
  at(id: number): number {
    const { floor, head } = this.#bounds;
    return this.#events.timedAt(Math.min(Math.max(id, floor), head), floor).createdAtMs;
  }

  /** The newest event that is certainly before this time, as damaged ones have no time. */
  idBefore(timeMs: number): number {
    return this.#events.timedAt(this.lastBefore(timeMs), this.#bounds.floor).id;
  }

  /** The newest event that may be before this time, damaged ones included. */
  lastBefore(timeMs: number): number {
    const { floor, head } = this.#bounds;
    const result = this.#results.get(timeMs) ?? this.#findLastBefore(timeMs);
    if (result < head) remember(this.#results, timeMs, result, MAX_RESULTS);
    return Math.max(result, floor - 1);
  }

  #findLastBefore(timeMs: number): number {
    let low = this.#bounds.floor - 1;
    let high = this.#bounds.head;
    while (low < high) {
      const middle = roundestWithin(low, high);
      if (this.#keptAt(middle) < timeMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #keptAt(id: number): number {
    if (id % KEPT_EVERY !== 0) return this.at(id);
    const known = this.#kept.get(id);
    if (known !== undefined) return known;
    const timeMs = this.at(id);
    remember(this.#kept, id, timeMs, MAX_KEPT);
    return timeMs;
  }
}

function remember(memory: Map<number, number>, key: number, value: number, maxSize: number): void {
  if (memory.size >= maxSize && !memory.has(key)) memory.clear();
  memory.set(key, value);
}

/** The multiple of the largest power of two that is above `low` and at most `high`. */
function roundestWithin(low: number, high: number): number {
  let power = 1;
  while (high - (high % (power * 2)) > low) power *= 2;
  return high - (high % power);
}
