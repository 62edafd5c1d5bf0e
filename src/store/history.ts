import { BusError } from "../bus/errors.ts";
import type { Event } from "../bus/event.ts";
import type { Filter, Page, TopicMatcher } from "../bus/ports.ts";
import type { Bounds } from "./events/bounds.ts";
import type { EventTable } from "./events/event-table.ts";
import type { PostingIndex } from "./events/posting.ts";
import type { Posting } from "./events/posting-table.ts";
import type { Segments } from "./events/segment.ts";
import type { Series, SeriesTable } from "./events/series.ts";

/** What one call may read, so that a reader of large events does not hold the memory or the loop. */
const PAGE_BYTES = 1024 * 1024;
/** Looking up a series in the index costs what about ten steps along the events do (measured: 3 µs and 0.3 µs). */
const STEPS_PER_LOOKUP = 10;
/** Events that one call walks along at the most: about a millisecond. */
const MAX_STEPS = 4096;
/**
 * Index look-ups that one call makes at the most, beside the first one for each series: about 5 ms, and several times that
 * when the postings of a series lie many segments apart, as each look-up steps from one segment to the next.
 */
const MAX_LOOKUPS = 1024;

type Direction = 1 | -1;

/** Ids that may match, in the order of the search, and how far it went. */
interface Candidates {
  readonly ids: readonly number[];
  readonly end: number;
  readonly done: boolean;
}

/** What is looked for: ids between `low` and `high`, both exclusive, of these series. */
interface Search {
  readonly wanted: ReadonlySet<Series>;
  readonly low: number;
  readonly high: number;
  readonly limit: number;
  readonly direction: Direction;
}

export interface HistoryParts {
  readonly segments: Segments;
  readonly bounds: Bounds;
  readonly series: SeriesTable;
  readonly events: EventTable;
  readonly postings: PostingIndex;
}

/**
 * Searches the events: every one of them, along the events, or through the index, whichever costs least.
 *
 * What is damaged is found by every search that may have wanted it: no event is missed without being named.
 */
export class HistoryReader {
  readonly #parts: HistoryParts;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  read(filter: Filter, after: number, limit: number): Page {
    return this.#search(filter, after, limit, 1);
  }

  readBack(filter: Filter, before: number, limit: number): Page {
    return this.#search(filter, before, limit, -1);
  }

  /**
   * Undefined when the event is not kept, or not one of these topics: with topics, that takes one look at the file whatever
   * the reason is. Throws `internal` when the event is damaged.
   */
  get(id: number, topics?: TopicMatcher): Event | undefined {
    const { bounds, events } = this.#parts;
    if (topics && !this.#isOf(id, topics)) return undefined;
    if (!Number.isInteger(id) || id < bounds.floor || id > bounds.head) return undefined;
    const event = events.load(id);
    if (event === undefined) throw new BusError("internal", `event ${id} is damaged on disk and is not served`);
    return event;
  }

  /** Told without reading the data: how large an event is must not show to those who may not see it. */
  #isOf(id: number, topics: TopicMatcher): boolean {
    const [series] = this.#parts.events.seriesBetween(id, id);
    return series !== undefined && !series.isDamaged && topics.matches(series.topic);
  }

  /** The time of the event, in milliseconds since 1970; of the nearest one that is kept and intact, when it is not. */
  timeAt(id: number): number {
    const { floor, head } = this.#parts.bounds;
    return this.#parts.events.timedAt(Math.min(Math.max(id, floor), head), floor).createdAtMs;
  }

  /** The newest event that is before this time for sure: damaged ones have no time. */
  idBefore(timeMs: number): number {
    return this.#parts.events.timedAt(this.#lastBefore(timeMs), this.#parts.bounds.floor).id;
  }

  /**
   * The newest event that may be before this time, damaged ones included. Found by halving the ids, as `created_at`
   * rises with them: no index on time is needed.
   */
  #lastBefore(timeMs: number): number {
    let low = this.#parts.bounds.floor - 1;
    let high = this.#parts.bounds.head;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.timeAt(middle) < timeMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #search(filter: Filter, from: number, limit: number, direction: Direction): Page {
    const { bounds, series, events } = this.#parts;
    const earliest = filter.fromMs === undefined ? 0 : this.idBefore(filter.fromMs);
    const latest = filter.toMs === undefined ? bounds.head : this.#lastBefore(filter.toMs + 1);
    const low = Math.max(bounds.floor - 1, earliest, direction === 1 ? from : 0);
    const high = Math.min(bounds.head + 1, latest + 1, direction === -1 ? from : Number.POSITIVE_INFINITY);
    if (high - low <= 1) return { events: [], end: passed(from, low, high, direction), done: true, damaged: [] };
    const candidates = this.#find({ wanted: series.select(filter), low, high, limit, direction });
    const loaded = events.loadAll(candidates.ids, PAGE_BYTES);
    const isWhole = loaded.count === candidates.ids.length;
    return {
      events: loaded.events,
      end: isWhole ? candidates.end : (candidates.ids[loaded.count - 1] ?? from),
      done: isWhole && candidates.done,
      damaged: [...loaded.damaged].sort((a, b) => a - b),
    };
  }

  #find(search: Search): Candidates {
    const { series, postings } = this.#parts;
    const { wanted, low, high, limit, direction } = search;
    if (wanted.size === series.size) return everyId(search);
    if (!postings.isTrusted) return this.#walk(search, MAX_STEPS);
    if (wanted.size === 0) return { ids: [], end: endOf(search), done: true };
    const walked = this.#walk(search, this.#stepsWorthwhile(wanted, limit));
    if (walked.done || walked.ids.length === limit || wanted.size > MAX_LOOKUPS) return walked;
    const rest = { ...search, limit: limit - walked.ids.length };
    const merged = this.#merge(direction === 1 ? { ...rest, low: walked.end } : { ...rest, high: walked.end });
    // What was read last may be what shows that the index has been missing events all along.
    if (!postings.isTrusted) return this.#walk({ ...search, low, high }, MAX_STEPS);
    return { ...merged, ids: [...walked.ids, ...merged.ids] };
  }

  /** Steps along the events; those of which nobody can tell the series are among the candidates. */
  #walk(search: Search, maxSteps: number): Candidates {
    const { wanted, low, high, limit, direction } = search;
    const steps = Math.min(maxSteps, high - low - 1);
    const first = direction === 1 ? low + 1 : high - steps;
    const found = this.#parts.events.seriesBetween(first, first + steps - 1);
    const ids: number[] = [];
    for (let step = 0; step < steps; step++) {
      const index = direction === 1 ? step : steps - 1 - step;
      const series = found[index];
      if (series === undefined || series.isDamaged || wanted.has(series)) ids.push(first + index);
      if (ids.length === limit) return { ids, end: first + index, done: false };
    }
    if (steps === high - low - 1) return { ids, end: endOf(search), done: true };
    return { ids, end: direction === 1 ? low + steps : high - steps, done: false };
  }

  #stepsWorthwhile(wanted: ReadonlySet<Series>, limit: number): number {
    if (wanted.size > MAX_LOOKUPS) return MAX_STEPS;
    let count = 1;
    for (const series of wanted) count += series.count;
    const kept = this.#parts.bounds.head - this.#parts.bounds.floor + 1;
    const expected = Math.ceil((2 * limit * kept) / count);
    return expected <= STEPS_PER_LOOKUP * wanted.size ? Math.min(expected, MAX_STEPS) : 0;
  }

  /** Merges the postings of the wanted series, one segment after another. */
  #merge(search: Search): Candidates {
    const { wanted, low, high, limit, direction } = search;
    const { segments } = this.#parts;
    const next = new Map<Series, Posting>();
    const start = segments.of(direction === 1 ? low + 1 : high - 1);
    for (const series of wanted) this.#advance(next, series, start, direction);
    const ids: number[] = [];
    let lookups = 0;
    while (next.size > 0) {
      const segment = nearest(next.values(), direction);
      if (segments.firstOf(segment) >= high || segments.lastOf(segment) <= low) break;
      const here = [...next].filter(([, posting]) => posting.segment === segment);
      ids.push(...this.#idsWithin(here, { ...search, limit: limit - ids.length }));
      if (ids.length === limit) return { ids, end: ids.at(-1) ?? low, done: false };
      for (const [series] of here) this.#advance(next, series, segment + direction, direction);
      lookups += here.length;
      if (lookups >= MAX_LOOKUPS && next.size > 0) {
        const end = direction === 1 ? segments.lastOf(segment) : segments.firstOf(segment);
        return isPast(end, search) ? { ids, end: endOf(search), done: true } : { ids, end, done: false };
      }
    }
    return { ids, end: endOf(search), done: true };
  }

  #advance(next: Map<Series, Posting>, series: Series, segment: number, direction: Direction): void {
    const { postings } = this.#parts;
    const posting =
      segment < 0 ? undefined : direction === 1 ? postings.up(series, segment) : postings.down(series, segment);
    if (posting) next.set(series, posting);
    else next.delete(series);
  }

  #idsWithin(postings: readonly (readonly [Series, Posting])[], search: Search): number[] {
    const { segments } = this.#parts;
    const { low, high, limit, direction } = search;
    const ids: number[] = [];
    for (const [, { segment, offsets }] of postings) {
      const base = segments.firstOf(segment);
      const from = firstAbove(offsets, low - base);
      const to = firstAbove(offsets, high - 1 - base);
      const start = direction === 1 ? from : Math.max(from, to - limit);
      const end = direction === 1 ? Math.min(to, from + limit) : to;
      for (let index = start; index < end; index++) ids.push(base + (offsets[index] ?? 0));
    }
    return ids.sort((a, b) => (a - b) * direction).slice(0, limit);
  }
}

/** Where a search stands that has found nothing more. */
function endOf({ low, high, direction }: Search): number {
  return direction === 1 ? high - 1 : low + 1;
}

function isPast(end: number, { low, high, direction }: Search): boolean {
  return direction === 1 ? end >= high - 1 : end <= low + 1;
}

/** Where a search stands whose range is empty: never behind where it began. */
function passed(from: number, low: number, high: number, direction: Direction): number {
  return direction === 1 ? Math.max(from, high - 1) : Math.min(from, low + 1);
}

/** Ids have no holes: all of them are known without a look at the file. */
function everyId({ low, high, limit, direction }: Search): Candidates {
  const count = Math.min(limit, high - low - 1);
  const first = direction === 1 ? low + 1 : high - 1;
  const ids = Array.from({ length: count }, (_, index) => first + index * direction);
  return { ids, end: first + (count - 1) * direction, done: count === high - low - 1 };
}

function nearest(postings: Iterable<Posting>, direction: Direction): number {
  let segment = direction === 1 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  for (const posting of postings) {
    if ((posting.segment - segment) * direction < 0) segment = posting.segment;
  }
  return segment;
}

/** The index of the first offset that is greater than `offset`. */
function firstAbove(offsets: ArrayLike<number>, offset: number): number {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
