import { BusError } from "../bus/errors.ts";
import type { Event } from "../bus/event.ts";
import type { Filter, Page, TopicMatcher } from "../bus/ports.ts";
import type { Bounds } from "./events/bounds.ts";
import { BrokenChain, type Chains } from "./events/chains.ts";
import type { EventTable } from "./events/event-table.ts";
import { type Candidates, merge, type Search } from "./events/merge.ts";
import { Selection } from "./events/selection.ts";
import type { SeriesTable } from "./events/series-table.ts";

/** What one call may read, so that reading large events blocks neither memory nor the loop. */
const PAGE_BYTES = 1024 * 1024;
/** Reading the head of an event at a random place costs about as much as eight steps of a walk. */
const STEPS_PER_READ = 8;
/** Maximum number of events that one call walks along: about 2 ms. */
const MAX_STEPS = 8192;
/** Events that a walk reads at a time, as it may then have found enough. */
const CHUNK_STEPS = 512;
/** Heads read to find a place in a chain, for each doubling of the number of its events. */
const READS_PER_DOUBLING = 1.5;
/** A walk that finds less than this part of what was expected is given up. */
const LEAST_SHARE = 0.25;
/** Maximum number of series whose names one walk reads from the file: about a millisecond, too. */
const MAX_MISSES = 512;
/** Maximum number of series whose events are merged; with more, a walk soon meets one of their events. */
const MAX_MERGED = 1024;
/** Series that are examined to estimate how common the events of all of them are. */
const SAMPLE = 16;

export interface HistoryOptions {
  readonly bounds: Bounds;
  readonly series: SeriesTable;
  readonly events: EventTable;
  readonly chains: Chains;
}

/**
 * Searches the events, in one of three ways: all events by their ids, if everything matches; walking along all events;
 * or following the chains of the matching series. It takes the cheapest one, and each call does a bounded amount of
 * work.
 *
 * In this order: if the matching series are not known completely, or damage may hide events of one, it walks. Otherwise
 * it estimates the steps after which a walk has found enough. It walks that far if this costs less than following the
 * chains, and follows the chains for the rest.
 *
 * What holds: an event that matches is returned or named as damaged by every search that passes it, never skipped. A
 * damaged event may be of any series, so every search that might have matched it names it.
 */
export class HistoryReader {
  readonly #bounds: Bounds;
  readonly #series: SeriesTable;
  readonly #events: EventTable;
  readonly #chains: Chains;
  readonly #selections = new WeakMap<object, Selection>();

  constructor({ bounds, series, events, chains }: HistoryOptions) {
    this.#bounds = bounds;
    this.#series = series;
    this.#events = events;
    this.#chains = chains;
  }

  read(filter: Filter, after: number, limit: number): Page {
    return this.#search(filter, after, limit, 1);
  }

  readBack(filter: Filter, before: number, limit: number): Page {
    return this.#search(filter, before, limit, -1);
  }

  /**
   * Undefined if the event is not kept, or its topic does not match. With topics, this takes one access to the file
   * whatever the reason is. Throws `internal` if the event is damaged.
   */
  get(id: number, topics?: TopicMatcher): Event | undefined {
    if (topics && !this.#isOf(id, topics)) return undefined;
    if (!Number.isInteger(id) || id < this.#bounds.floor || id > this.#bounds.head) return undefined;
    const stored = this.#events.load(id);
    if (stored === undefined) throw new BusError("internal", `event ${id} is damaged on disk and is not served`);
    return stored.event;
  }

  /**
   * The time of the event, in milliseconds since 1970; if it is not kept or damaged, that of the nearest event that is
   * intact.
   */
  timeAt(id: number): number {
    const { floor, head } = this.#bounds;
    return this.#events.timedAt(Math.min(Math.max(id, floor), head), floor).createdAtMs;
  }

  /** The newest event that is certainly before this time, as damaged ones have no time. */
  idBefore(timeMs: number): number {
    return this.#events.timedAt(this.#lastBefore(timeMs), this.#bounds.floor).id;
  }

  /** Decided without reading the data: the size of an event must not show to readers outside its scope. */
  #isOf(id: number, topics: TopicMatcher): boolean {
    const seriesId = this.#events.seriesOf(id);
    const series = seriesId > 0 ? this.#series.get(seriesId) : undefined;
    return series !== undefined && !series.isDamaged && topics.matches(series.topic);
  }

  /**
   * The newest event that may be before this time, damaged ones included. Found by halving the ids, as `created_at`
   * rises with them; no index on time is needed.
   */
  #lastBefore(timeMs: number): number {
    let low = this.#bounds.floor - 1;
    let high = this.#bounds.head;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.timeAt(middle) < timeMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #search(filter: Filter, from: number, limit: number, direction: 1 | -1): Page {
    const { floor, head } = this.#bounds;
    const earliest = filter.fromMs === undefined ? 0 : this.idBefore(filter.fromMs);
    const latest = filter.toMs === undefined ? head : this.#lastBefore(filter.toMs + 1);
    const low = Math.max(floor - 1, earliest, direction === 1 ? from : 0);
    const high = Math.min(head + 1, latest + 1, direction === -1 ? from : Number.POSITIVE_INFINITY);
    if (high - low <= 1) return { events: [], end: passed(from, low, high, direction), done: true, damaged: [] };
    const candidates = this.#find(filter, { low, high, limit, direction });
    const loaded = this.#events.loadAll(candidates.ids, PAGE_BYTES);
    const isWhole = loaded.count === candidates.ids.length;
    return {
      events: loaded.events,
      end: isWhole ? candidates.end : (candidates.ids[loaded.count - 1] ?? from),
      done: isWhole && candidates.done,
      damaged: [...loaded.damaged].sort((a, b) => a - b),
    };
  }

  #find(filter: Filter, search: Search): Candidates {
    if (filter.source === undefined && (filter.topics?.isEverything ?? filter.topics === undefined)) {
      return everyId(search);
    }
    const selection = this.#select(filter);
    const isKnown = selection.advance();
    try {
      if (isKnown && this.#canFollow(selection)) return this.#followOrWalk(selection, search);
    } catch (error) {
      if (!(error instanceof BrokenChain)) throw error;
    }
    return this.#walk(selection, search, MAX_STEPS);
  }

  #select(filter: Filter): Selection {
    const key = filter.source === undefined ? (filter.topics ?? filter) : filter;
    const known = this.#selections.get(key);
    if (known) return known;
    const selection = new Selection(this.#series, filter);
    this.#selections.set(key, selection);
    return selection;
  }

  /** Whether the chains of the series lead to all of their events. */
  #canFollow({ ids }: Selection): boolean {
    if (!this.#chains.isTrusted || ids.size > MAX_MERGED) return false;
    return !this.#chains.hasBroken || !ids.values().some((id) => this.#chains.isBroken(id));
  }

  /** Walks as far as that is worthwhile, then follows the chains. Throws `BrokenChain`. */
  #followOrWalk(selection: Selection, search: Search): Candidates {
    if (selection.ids.size === 0) return { ids: [], end: endOf(search), done: true };
    const expected = this.#stepsWorthwhile(selection.ids, search);
    const steps = Math.min(expected, MAX_STEPS);
    const walked = this.#walk(selection, search, steps);
    if (walked.done || walked.ids.length === search.limit) return walked;
    if (expected > steps && walked.ids.length >= (LEAST_SHARE * search.limit * steps) / expected) return walked;
    const rest = { ...search, limit: search.limit - walked.ids.length };
    const merged = merge(
      this.#chains,
      selection.ids,
      search.direction === 1 ? { ...rest, low: walked.end } : { ...rest, high: walked.end },
    );
    if (merged === undefined) return this.#walk(selection, search, MAX_STEPS);
    return { ...merged, ids: [...walked.ids, ...merged.ids] };
  }

  /** Steps after which a walk has most likely found enough; 0 if following the chains costs less. */
  #stepsWorthwhile(ids: ReadonlySet<number>, { high, limit, direction }: Search): number {
    const sample = [...ids.values().take(SAMPLE)];
    const length = sample.reduce((sum, id) => sum + this.#chains.depth(id) + 1, 0) / sample.length;
    const expected = Math.ceil((2 * limit * this.#bounds.head) / Math.max(length * ids.size, 1));
    const isAtEnd = direction === -1 && high > this.#bounds.head;
    const readsToStart = isAtEnd ? 0 : 1 + READS_PER_DOUBLING * Math.log2(length + 1);
    return expected <= STEPS_PER_READ * (ids.size * readsToStart + 2 * limit) ? expected : 0;
  }

  /** Walks along the events; those with an unknown series are among the candidates. */
  #walk(selection: Selection, search: Search, maxSteps: number): Candidates {
    const { low, high, limit, direction } = search;
    const lastMiss = this.#series.misses + MAX_MISSES;
    const last = direction === 1 ? high - 1 : low + 1;
    const ids: number[] = [];
    let end = direction === 1 ? low : high;
    for (let left = maxSteps; left > 0 && end !== last; ) {
      const steps = Math.min(left, CHUNK_STEPS, Math.abs(last - end));
      left -= steps;
      const first = direction === 1 ? end + 1 : end - steps;
      const found = this.#events.seriesBetween(first, first + steps - 1);
      for (let step = 0; step < steps; step++) {
        end += direction;
        if (this.#mayWant(selection, found[end - first] ?? 0)) ids.push(end);
        if (ids.length === limit || this.#series.misses >= lastMiss) return { ids, end, done: false };
      }
    }
    return { ids, end, done: end === last };
  }

  #mayWant(selection: Selection, seriesId: number): boolean {
    return seriesId === 0 || selection.wants(seriesId) || this.#isUnknown(seriesId);
  }

  /** Whether the name of the series is unknown. */
  #isUnknown(seriesId: number): boolean {
    if (this.#series.isTrusted) return false;
    const series = this.#series.get(seriesId);
    return series === undefined || series.isDamaged;
  }
}

/** The end of a search that has found nothing more. */
function endOf({ low, high, direction }: Search): number {
  return direction === 1 ? high - 1 : low + 1;
}

/** The end of a search with an empty range: never behind its start. */
function passed(from: number, low: number, high: number, direction: 1 | -1): number {
  return direction === 1 ? Math.max(from, high - 1) : Math.min(from, low + 1);
}

/** Every id in the range: ids are consecutive, so all are known without reading the file. */
function everyId({ low, high, limit, direction }: Search): Candidates {
  const count = Math.min(limit, high - low - 1);
  const first = direction === 1 ? low + 1 : high - 1;
  const ids = Array.from({ length: count }, (_, index) => first + index * direction);
  return { ids, end: first + (count - 1) * direction, done: count === high - low - 1 };
}
