import { skipDepthOf } from "../events/chain.ts";
import type { EventHead } from "../events/event-head.ts";
import type { EventTable } from "../events/event-table.ts";
import type { CheckedHistory } from "./checked-history.ts";
import { EndCheck } from "./end-check.ts";
import { SeriesWindow } from "./series-window.ts";

/** Series whose chains are followed at once, in 32 MiB. If there are more, the events are read again. */
const WINDOW_SERIES = 2 ** 20;
/** Events between two turns of the loop. */
const PAGE_EVENTS = 5000;

/**
 * Follows the chain of every series along all events. What must hold: each event names the one before it in its series,
 * and the one that its skip leads to; and the stored ends are those of the chains. A damaged event may be of any
 * series, so a link to one is not an error.
 */
export class ChainCheck {
  readonly #history: CheckedHistory;
  readonly #events: EventTable;
  readonly #ends: EndCheck;
  readonly #windowSeries: number;
  /** No event so far is damaged. */
  #isWhole = true;

  /** Only tests change `windowSeries`. */
  constructor(history: CheckedHistory, events: EventTable, windowSeries = WINDOW_SERIES) {
    this.#history = history;
    this.#events = events;
    this.#ends = new EndCheck(history, (id) => this.#headAt(id));
    this.#windowSeries = windowSeries;
  }

  /** Yields, between steps of the work, how much of it is done: 0 to 1. */
  *run(): Generator<number> {
    const { database } = this.#history;
    const [count = 0] = database.query("select count(*) from series").values().flat() as number[];
    const rounds = Math.ceil(count / this.#windowSeries);
    let last = 0;
    for (let round = 0; round < rounds; round++) {
      const window = SeriesWindow.after(database, last, this.#windowSeries);
      for (const done of this.#follow(window)) yield (round + done) / rounds;
      last = window.idAt(window.size - 1);
    }
  }

  *#follow(window: SeriesWindow): Generator<number> {
    const { floor, head, endsTo } = this.#history;
    let areEndsDue = true;
    for (let first = floor; first <= head; ) {
      if (areEndsDue && first > endsTo) {
        this.#ends.compare(window);
        areEndsDue = false;
      }
      const last = Math.min(first + PAGE_EVENTS - 1, areEndsDue ? endsTo : head, head);
      const heads = this.#events.headsBetween(first, last);
      if (heads.length <= last - first) this.#isWhole = false;
      for (const one of heads) this.#look(one, window);
      first = last + 1;
      yield (last - floor + 1) / (head - floor + 1);
    }
    if (areEndsDue) this.#ends.compare(window);
    if (this.#isWhole) this.#findEmpty(window);
  }

  #look(event: EventHead, window: SeriesWindow): void {
    const at = window.placeOf(event.seriesId);
    if (at === undefined) return;
    const fault = this.#faultOf(event, window, at);
    if (fault !== undefined) this.#history.damage.note(`event ${event.id}: ${fault}`);
    window.add(at, event);
  }

  #faultOf(event: EventHead, window: SeriesWindow, at: number): string | undefined {
    const { previous, skip, depth } = event;
    const last = window.lastOf(at);
    if (!this.#isPrevious(event, last)) return `the previous event of its series is ${last}, not ${previous}`;
    const expectedDepth = previous === 0 ? 0 : window.depthOf(at) + 1;
    if (previous === last && depth !== expectedDepth) return `its depth is ${expectedDepth}, not ${depth}`;
    const isKept = last > 0 && previous === last && window.firstDepthOf(at) <= skipDepthOf(depth);
    if (!this.#isSkip(event, isKept)) return `its skip is not ${skip}`;
    return undefined;
  }

  /** `last` is the last intact event of the series before it; 0 if there is none. */
  #isPrevious({ previous }: EventHead, last: number): boolean {
    if (previous === last) return true;
    if (previous < this.#history.floor) return last === 0;
    return previous > last && this.#headAt(previous) === undefined;
  }

  /** `isKept`: the event that the skip should lead to is kept. */
  #isSkip({ seriesId, previous, skip, depth }: EventHead, isKept: boolean): boolean {
    const skipDepth = skipDepthOf(depth);
    if (skipDepth < 0) return skip === 0;
    // If an event on the way to its target was damaged when the link was made, there is no skip.
    if (skip < this.#history.floor) return !isKept || (skip === 0 && !this.#isWhole);
    if (skipDepth === depth - 1) return skip === previous;
    const target = this.#headAt(skip);
    if (skip >= previous || target === undefined) return skip < previous;
    return target.seriesId === seriesId && target.depth === skipDepth;
  }

  /** Reports series without events: a series is removed with its last event. */
  #findEmpty(window: SeriesWindow): void {
    for (let at = 0; at < window.size; at++) {
      if (window.lastOf(at) === 0) this.#history.damage.note(`series ${window.idAt(at)}: it has no events`);
    }
  }

  /** Undefined if the event is missing or damaged. */
  #headAt(id: number): EventHead | undefined {
    return this.#events.headsBetween(id, id)[0];
  }
}
