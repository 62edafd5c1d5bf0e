import { formatTime } from "../bus/event.ts";
import type { TopicMatcher, TopicPage, TopicQuery } from "../bus/ports.ts";
import type { TopicSummary } from "../protocol/event.ts";
import { BrokenChain, type Chains } from "./events/chains.ts";
import type { SeriesNaming } from "./events/series-row.ts";
import type { NameRange, SeriesTable } from "./events/series-table.ts";
import type { Allowance, IsSpent } from "./search/allowance.ts";
import { rangesOf } from "./search/selection.ts";

/** Names that are read at a time, and names that SQLite filters at a time: a third of a millisecond. */
const CHUNK_NAMES = 128;
const FILTERED_NAMES = 2048;
/** Names that do not match between two looks at the clock. */
const NAMES_PER_LOOK = 8;
/** Topics with more series than one call can count. Their partial sums are remembered for the next call. */
const MAX_UNFINISHED = 16;

/** The partial result for a topic: some of its series have been counted. */
interface Sum {
  readonly topic: string;
  /** The last series that was counted. */
  counted: SeriesNaming;
  count: number;
  lastId: number;
}

export interface TopicListOptions {
  readonly series: SeriesTable;
  readonly chains: Chains;
  readonly allowance: Allowance;
  /** Returns the time of an event, in milliseconds since 1970. */
  readonly timeAt: (id: number) => number;
}

/** Lists topics from the index of names, in code point order, with a bounded amount of work per call. */
export class TopicList {
  readonly #series: SeriesTable;
  readonly #chains: Chains;
  readonly #allowance: Allowance;
  readonly #timeAt: (id: number) => number;
  readonly #unfinished = new Map<string, Sum>();

  constructor({ series, chains, allowance, timeAt }: TopicListOptions) {
    this.#series = series;
    this.#chains = chains;
    this.#allowance = allowance;
    this.#timeAt = timeAt;
  }

  page({ topics, after = "", limit }: TopicQuery): TopicPage {
    this.#allowance.begin();
    const names = new NameWalk(this.#series, topics, after, this.#allowance.isSpent);
    const found: TopicSummary[] = [];
    let end = after;
    let sum: Sum | undefined;
    let passed = 0;
    for (;;) {
      const name = names.next();
      if (sum && name?.topic !== sum.topic) {
        // Another series of the topic may follow, unless the walk has passed the topic.
        if (!name && !names.isAtEnd && names.passed === sum.topic) return this.#interrupt(sum, found, end);
        if (sum.count > 0) found.push(this.#summaryOf(sum));
        end = sum.topic;
        sum = undefined;
        if (name && this.#allowance.isSpent()) return { topics: found, end, done: false };
      }
      if (!name) return { topics: found, end: names.passed ?? end, done: names.isAtEnd };
      if (found.length === limit) return { topics: found, end, done: false };
      if (topics?.matches(name.topic) === false) {
        end = name.topic;
        if (++passed % NAMES_PER_LOOK === 0 && this.#allowance.isSpent()) return { topics: found, end, done: false };
        continue;
      }
      const resumed = sum ? undefined : this.#takeUnfinished(name.topic);
      if (resumed) names.passTo(resumed.counted);
      // Otherwise the next call could spend all its time on the names before this topic, and make no progress.
      if (!sum) end = later(end, names.passedBefore);
      sum ??= resumed ?? { topic: name.topic, counted: name, count: 0, lastId: 0 };
      if (resumed) continue;
      this.#add(name, sum);
      if (names.isNextOf(sum.topic) && this.#allowance.isSpent()) return this.#interrupt(sum, found, end);
    }
  }

  /** Ends the page in the middle of a topic; the next page continues there. */
  #interrupt(sum: Sum | undefined, topics: readonly TopicSummary[], end: string): TopicPage {
    if (this.#unfinished.size >= MAX_UNFINISHED) this.#unfinished.clear();
    if (sum) this.#unfinished.set(sum.topic, sum);
    return { topics, end, done: false };
  }

  /** The partial result of an earlier page for a topic. */
  #takeUnfinished(topic: string): Sum | undefined {
    const sum = this.#unfinished.get(topic);
    this.#unfinished.delete(topic);
    return sum;
  }

  #add(name: SeriesNaming, sum: Sum): void {
    sum.counted = name;
    try {
      sum.lastId = Math.max(sum.lastId, this.#chains.lastId(name.id));
      sum.count += this.#chains.count(name.id);
    } catch (error) {
      if (!(error instanceof BrokenChain)) throw error;
      // Their number is unknown, but there are some.
      sum.count++;
    }
  }

  #summaryOf({ topic, count, lastId }: Sum): TopicSummary {
    return { topic, count, last_id: lastId, last_at: formatTime(this.#timeAt(lastId)) };
  }
}

/** Walks along the names of the ranges of some topics, as far as one call may. Passes over names that cannot match. */
class NameWalk {
  readonly #series: SeriesTable;
  readonly #ranges: readonly NameRange[];
  /** A text that every matching topic contains; undefined if none is known. */
  readonly #literal: string | undefined;
  #range = 0;
  #position: SeriesNaming | undefined;
  #chunk: SeriesNaming[] = [];
  /** The last name that is passed with the chunk. */
  #chunkEnd: SeriesNaming | undefined;
  #passedBefore: string | undefined;
  /** The chunk is the last one of its range. */
  #isLastChunk = false;
  readonly #isSpent: IsSpent;
  /** A chunk is read even if the time is spent: otherwise the call would make no progress. */
  #isOwed = true;

  /** Starts after a topic. */
  constructor(series: SeriesTable, topics: TopicMatcher | undefined, after: string, isSpent: IsSpent) {
    this.#series = series;
    this.#isSpent = isSpent;
    this.#ranges = rangesOf(topics).sort(byStart);
    const [literal, ...others] = topics?.literals ?? [];
    this.#literal = others.length === 0 ? literal : undefined;
    // No topic contains this character, so this is after every series of the topic.
    this.#position = after === "" ? undefined : { id: 0, topic: `${after}\0`, source: "" };
  }

  /** Whether there are no more names, rather than too many for one call. */
  get isAtEnd(): boolean {
    return this.#range === this.#ranges.length;
  }

  /** The topic up to which all names were passed, once `next` has returned undefined; undefined if there are no more. */
  get passed(): string | undefined {
    return this.#chunkEnd?.topic;
  }

  /** The topic up to which all names were passed before the current chunk; undefined if this is the first one. */
  get passedBefore(): string | undefined {
    return this.#passedBefore;
  }

  next(): SeriesNaming | undefined {
    while (this.#chunk.length === 0 && (this.#isOwed || !this.#isSpent())) {
      if (this.#isLastChunk) this.#range++;
      const range = this.#ranges[this.#range];
      this.#isLastChunk = false;
      if (range === undefined) return undefined;
      this.#passedBefore = this.#chunkEnd?.topic ?? this.#passedBefore;
      this.#position = this.#chunkEnd ?? this.#position;
      this.#read(range);
    }
    const name = this.#chunk.shift();
    this.#position = name ?? this.#position;
    return name;
  }

  /** Whether the next name, as far as it was read, is of this topic. */
  isNextOf(topic: string): boolean {
    return this.#chunk[0]?.topic === topic;
  }

  /** Continues after this name, which is in the same range. */
  passTo(name: SeriesNaming): void {
    this.#chunk = [];
    this.#chunkEnd = name;
    this.#isLastChunk = false;
    this.#isOwed = true;
    this.#position = name;
  }

  #read(range: NameRange): void {
    const isWithin = this.#position !== undefined && compare(this.#position.topic, range.from) >= 0;
    const after = isWithin ? this.#position : undefined;
    if (this.#literal === undefined) this.#readAll(range, after);
    else this.#readWith(this.#literal, range, after);
    // After the last chunk of a range there may be no name to continue after.
    if (!this.#isLastChunk) this.#isOwed = false;
  }

  #readAll(range: NameRange, after: SeriesNaming | undefined): void {
    this.#chunk = this.#series.namesIn(range, after, undefined, CHUNK_NAMES);
    this.#isLastChunk = this.#chunk.length < CHUNK_NAMES;
    this.#chunkEnd = this.#chunk.at(-1);
  }

  #readWith(literal: string, range: NameRange, after: SeriesNaming | undefined): void {
    const { names, last } = this.#series.namesWith(literal, range, after, { limit: FILTERED_NAMES, most: CHUNK_NAMES });
    this.#chunk = names;
    this.#isLastChunk = last === undefined;
    this.#chunkEnd = last;
  }
}

/** The later one of two topics. */
function later(topic: string, other = ""): string {
  return compare(other, topic) > 0 ? other : topic;
}

function byStart(a: NameRange, b: NameRange): number {
  return compare(a.from, b.from);
}

/** In code point order, as the index has them. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
