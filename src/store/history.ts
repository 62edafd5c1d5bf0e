import { BusError } from "../bus/errors.ts";
import type { Event } from "../bus/event.ts";
import type { Filter, Page, TopicMatcher } from "../bus/ports.ts";
import type { Bounds } from "./events/bounds.ts";
import { BrokenChain, type Chains } from "./events/chains.ts";
import type { EventTable } from "./events/event-table.ts";
import type { SeriesTable } from "./events/series-table.ts";
import type { Allowance } from "./search/allowance.ts";
import { EventTimes } from "./search/event-times.ts";
import { mergeOf } from "./search/merge.ts";
import { NameTexts } from "./search/name-texts.ts";
import type { Candidates, Merge, Search } from "./search/search.ts";
import { Selection } from "./search/selection.ts";

/** What one call may read, so that reading large events needs little memory. */
const PAGE_BYTES = 1024 * 1024;
/** Reading the head of an event at a random place costs about as much as eight steps of a walk. */
const STEPS_PER_READ = 8;
/** Maximum number of events that one call walks along. */
const MAX_STEPS = 8192;
/** Events that a walk reads at a time, as it may then have found enough: a tenth of a millisecond. */
const CHUNK_STEPS = 256;
/** What a walk does at least, so that every call makes progress. */
const LEAST_STEPS = 8;
/** Heads read to find a place in a chain, for each doubling of the number of its events. */
const READS_PER_DOUBLING = 1.5;
/** A walk that finds less than this part of what was expected is given up. */
const LEAST_SHARE = 0.25;
/** Series that are examined to estimate how common the events of all of them are. */
const SAMPLE = 16;
/** Events after which they are examined again: so few change little, even in a small history. */
const SAMPLE_EVENTS = 512;
/** If walks have found fewer than one event in this many steps, the time is better used to find the series. */
const RARE_STEPS = 128;

export interface HistoryOptions {
  readonly bounds: Bounds;
  readonly series: SeriesTable;
  readonly events: EventTable;
  readonly chains: Chains;
  readonly allowance: Allowance;
  /** Maximum number of characters of the names of all series in memory; only tests change it. */
  readonly nameCharacters?: number | undefined;
}

/** What is kept of a query from one page to the next. */
interface Question {
  readonly selection: Selection;
  merge: Merge | undefined;
  /** Steps of walks while the series were unknown, and events found by them. */
  walked: number;
  met: number;
  /** Undefined until it is needed. */
  sample: Sample | undefined;
}

/** An estimate of how common the matching events are. */
interface Sample {
  /** Number of matching series, and the newest event, at that time. */
  readonly size: number;
  readonly head: number;
  /** The average number of events of a series. */
  readonly length: number;
}

/**
 * Searches the events, in one of three ways: all events by their ids, if everything matches; walking along all events;
 * or following the chains of the matching series. It takes the cheapest one. Each call takes a bounded time: it returns
 * what it has found by then, and the next call continues there.
 *
 * In this order: while the matching series are not known completely, it looks for them and walks by turns; where damage
 * may hide events of one, it walks. Otherwise it estimates the steps after which a walk has found enough. It walks that
 * far if this costs less than following the chains, and follows the chains for the rest.
 *
 * What holds: an event that matches is returned or named as damaged by every search that passes it, never skipped. A
 * damaged event may be of any series, so every search that might have matched it names it.
 */
export class HistoryReader {
  readonly #bounds: Bounds;
  readonly #series: SeriesTable;
  readonly #events: EventTable;
  readonly #chains: Chains;
  readonly #times: EventTimes;
  readonly #texts: NameTexts;
  readonly #allowance: Allowance;
  readonly #questions = new WeakMap<object, Question>();

  constructor({ bounds, series, events, chains, allowance, nameCharacters }: HistoryOptions) {
    this.#bounds = bounds;
    this.#series = series;
    this.#events = events;
    this.#chains = chains;
    this.#times = new EventTimes(bounds, events);
    this.#texts = new NameTexts(series, nameCharacters);
    this.#allowance = allowance;
  }

  read(filter: Filter, after: number, limit: number): Page {
    return this.#search(filter, after, limit, 1);
  }

  readBack(filter: Filter, before: number, limit: number): Page {
    return this.#search(filter, before, limit, -1);
  }

  /**
   * Undefined if the event is not kept, or its topic does not match. With topics, both take one access to the
   * file. Throws `internal` if the event is damaged.
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
    return this.#times.at(id);
  }

  /** The newest event that is certainly before this time, as damaged ones have no time. */
  idBefore(timeMs: number): number {
    return this.#times.idBefore(timeMs);
  }

  /** Decided without reading the data: the size of an event must not show to readers outside its scope. */
  #isOf(id: number, topics: TopicMatcher): boolean {
    const seriesId = this.#events.seriesOf(id);
    const series = seriesId > 0 ? this.#series.get(seriesId) : undefined;
    return series !== undefined && !series.isDamaged && topics.matches(series.topic);
  }

  #search(filter: Filter, from: number, limit: number, direction: 1 | -1): Page {
    this.#allowance.begin();
    const { floor, head } = this.#bounds;
    const earliest = filter.fromMs === undefined ? 0 : this.idBefore(filter.fromMs);
    const latest = filter.toMs === undefined ? head : this.#times.lastBefore(filter.toMs + 1);
    const low = Math.max(floor - 1, earliest, direction === 1 ? from : 0);
    const high = Math.min(head + 1, latest + 1, direction === -1 ? from : Number.POSITIVE_INFINITY);
    if (high - low <= 1) return { events: [], end: passed(from, low, high, direction), done: true, damaged: [] };
    const candidates = this.#find(filter, { low, high, limit, direction });
    const loaded = this.#events.loadAll(candidates.ids, PAGE_BYTES, this.#allowance.isSpent);
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
    const question = this.#questionOf(filter);
    const { selection } = question;
    const isKnown = selection.advance(isRare(question) ? this.#allowance.isSpent : this.#allowance.isHalfSpent);
    try {
      if (isKnown && this.#canFollow(selection)) return this.#followOrWalk(question, search);
    } catch (error) {
      if (!(error instanceof BrokenChain)) throw error;
    }
    question.merge = undefined;
    const walked = this.#walk(selection, search, isKnown || !isRare(question) ? MAX_STEPS : LEAST_STEPS);
    question.walked += stepsOf(search, walked);
    question.met += walked.ids.length;
    return walked;
  }

  #questionOf(filter: Filter): Question {
    const key = filter.source === undefined ? (filter.topics ?? filter) : filter;
    const known = this.#questions.get(key);
    if (known) return known;
    const question: Question = {
      selection: new Selection(this.#series, this.#texts, filter),
      merge: undefined,
      walked: 0,
      met: 0,
      sample: undefined,
    };
    this.#questions.set(key, question);
    return question;
  }

  /** Whether the chains of the series lead to all of their events. */
  #canFollow({ ids }: Selection): boolean {
    if (!this.#chains.isTrusted) return false;
    return !this.#chains.hasBroken || !ids.values().some((id) => this.#chains.isBroken(id));
  }

  /** Walks as far as that is worthwhile, then follows the chains. Throws `BrokenChain`. */
  #followOrWalk(question: Question, search: Search): Candidates {
    const { selection } = question;
    if (selection.ids.size === 0) return { ids: [], end: endOf(search), done: true };
    if (question.merge?.canContinue(search)) return this.#follow(selection, question.merge, search);
    question.merge = undefined;
    const expected = this.#stepsWorthwhile(question, search);
    const walked = this.#walk(selection, search, Math.min(expected, MAX_STEPS));
    if (walked.done || walked.ids.length === search.limit) return walked;
    const steps = stepsOf(search, walked);
    if (steps < expected && walked.ids.length >= Math.floor((LEAST_SHARE * search.limit * steps) / expected))
      return walked;
    const rest = { ...search, limit: search.limit - walked.ids.length };
    const restOfSearch = search.direction === 1 ? { ...rest, low: walked.end } : { ...rest, high: walked.end };
    question.merge = mergeOf(this.#chains, selection.ids, restOfSearch);
    const merged = this.#follow(selection, question.merge, restOfSearch);
    return { ...merged, ids: [...walked.ids, ...merged.ids] };
  }

  /** Follows the chains; walks a little while no event is found there, so that every call makes progress. */
  #follow(selection: Selection, merge: Merge, search: Search): Candidates {
    return merge.take(search, this.#allowance.isMostlySpent) ?? this.#walk(selection, search, LEAST_STEPS);
  }

  /** Steps after which a walk has most likely found enough; 0 if following the chains costs less. */
  #stepsWorthwhile(question: Question, { high, limit, direction }: Search): number {
    const { head } = this.#bounds;
    const { size, length } = this.#sampleOf(question);
    const expected = Math.ceil((2 * limit * head) / Math.max(length * size, 1));
    const isAtEnd = direction === -1 && high > head;
    const readsToStart = isAtEnd ? 0 : 1 + READS_PER_DOUBLING * Math.log2(length + 1);
    return expected <= STEPS_PER_READ * (size * readsToStart + 2 * limit) ? expected : 0;
  }

  #sampleOf(question: Question): Sample {
    const { head } = this.#bounds;
    const { ids } = question.selection;
    const known = question.sample;
    if (known && known.size === ids.size && head - known.head < SAMPLE_EVENTS) return known;
    const sample = [...ids.values().take(SAMPLE)];
    const length = sample.reduce((sum, id) => sum + this.#chains.depth(id) + 1, 0) / sample.length;
    question.sample = { size: ids.size, head, length };
    return question.sample;
  }

  /**
   * Walks along the events; those with an unknown series are among the candidates. While the matching series are not
   * known completely, each event may take some time.
   */
  #walk(selection: Selection, search: Search, maxSteps: number): Candidates {
    const { low, high, limit, direction } = search;
    const isSpent = this.#allowance.isMostlySpent;
    const known = selection.isDone ? selection.ids : undefined;
    const stepsBetweenLooks = known ? CHUNK_STEPS : LEAST_STEPS;
    const last = direction === 1 ? high - 1 : low + 1;
    const ids: number[] = [];
    let end = direction === 1 ? low : high;
    for (let left = isSpent() ? Math.min(maxSteps, LEAST_STEPS) : maxSteps; left > 0 && end !== last; ) {
      const steps = Math.min(left, CHUNK_STEPS, Math.abs(last - end));
      left -= steps;
      const first = direction === 1 ? end + 1 : end - steps;
      const found = this.#events.seriesBetween(first, first + steps - 1);
      for (let step = 0; step < steps; step++) {
        end += direction;
        const seriesId = found[end - first] ?? 0;
        if (seriesId === 0 || (known ? known.has(seriesId) : this.#mayWant(selection, seriesId))) ids.push(end);
        const isTimeToLook = step % stepsBetweenLooks === stepsBetweenLooks - 1 || step === steps - 1;
        if (ids.length === limit || (isTimeToLook && isSpent())) return { ids, end, done: false };
      }
    }
    return { ids, end, done: end === last };
  }

  #mayWant(selection: Selection, seriesId: number): boolean {
    return selection.wants(seriesId) || this.#isUnknown(seriesId);
  }

  /** Whether the name of the series is unknown. */
  #isUnknown(seriesId: number): boolean {
    if (this.#series.isTrusted) return false;
    const series = this.#series.get(seriesId);
    return series === undefined || series.isDamaged;
  }
}

/** Whether walks have met too few of the events to find enough of them soon. */
function isRare({ walked, met }: Question): boolean {
  return walked >= RARE_STEPS && met * RARE_STEPS < walked;
}

/** How many events a search has passed. */
function stepsOf({ low, high, direction }: Search, { end }: Candidates): number {
  return direction === 1 ? end - low : high - end;
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
