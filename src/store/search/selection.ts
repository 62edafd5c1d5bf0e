import type { TopicRange } from "../../bus/patterns/topic-range.ts";
import type { Filter, TopicMatcher } from "../../bus/ports.ts";
import type { Series } from "../events/series.ts";
import type { SeriesNaming } from "../events/series-row.ts";
import type { NameRange, SeriesTable } from "../events/series-table.ts";
import type { IsSpent } from "./allowance.ts";
import { type NameText, namesInBlock } from "./name-text.ts";
import type { NameTexts } from "./name-texts.ts";

/** Names that are read from the index at a time, and series that are examined between two looks at the clock. */
const CHUNK_NAMES = 256;
const CHUNK_SERIES = 8;
/** Names read from ranges of the index before the text of all names is examined instead: it takes about as long. */
const MAX_READ = 16_384;
/** With more new series than this, a range of the index is examined again instead. */
const MAX_NEW = 2048;
/** Series that are remembered for one filter, 256 KiB. With more, a walk meets one of their events every few steps. */
const MAX_SELECTED = 8192;

/** Names in a text have no source: the text is only examined if every source is wanted. */
type Name = Omit<SeriesNaming, "source"> & Partial<SeriesNaming>;

/**
 * The series that match a filter, found in calls of `advance` that each take a bounded time.
 *
 * In this order: first the series that existed at the start are examined: all of them in memory, those in the matching
 * ranges of the name index, or those in the text of all names; then those with ids from `nextId` on, which were created
 * since. At the start of each call, removed series are dropped. `ids` is complete only after all of that, and only if
 * the index can be trusted and there are not too many. Otherwise searches must walk along the events.
 */
export class Selection {
  readonly #table: SeriesTable;
  readonly #texts: NameTexts;
  readonly #topics: TopicMatcher | undefined;
  readonly #source: string | undefined;
  readonly #literals: readonly string[] | undefined;
  readonly #ids = new Set<number>();
  /** Iterates over the series in memory, while all of them are there. */
  #cached: IterableIterator<Series> | undefined;
  /** The ranges of the index to examine otherwise. */
  #ranges: readonly NameRange[] = [];
  #range = 0;
  #after: SeriesNaming | undefined;
  /** Names that were read and not examined yet. */
  #names: Name[] = [];
  /** There are too many names for a text. */
  #hasFailedOnText = false;
  /** Names of ranges that were read. */
  #read = 0;
  /** The text to examine instead of the index, while it is examined, and the number of its next block. */
  #text: NameText | undefined;
  #block = 0;
  /** Series from this id on have not been examined, except by the two iterations above. */
  #nextId = 0;
  /** The number of removals that `ids` already reflects. */
  #removals = 0;
  #isTooMany = false;

  constructor(table: SeriesTable, texts: NameTexts, { topics, source }: Filter) {
    this.#table = table;
    this.#texts = texts;
    this.#topics = topics;
    this.#source = source;
    this.#literals = topics?.literals;
    this.#start();
  }

  /** Every matching series, once `isDone` is true. */
  get ids(): ReadonlySet<number> {
    return this.#ids;
  }

  /** Whether `ids` is complete. */
  get isDone(): boolean {
    const isAtNames = this.#text !== undefined || this.#range < this.#ranges.length || this.#names.length > 0;
    const isOnTheWay = this.#cached !== undefined || isAtNames;
    // A damaged index may have hidden some.
    return this.#table.isTrusted && !this.#isTooMany && !isOnTheWay && this.#nextId === this.#table.nextId;
  }

  /** Whether the series matches. */
  wants(seriesId: number): boolean {
    if (this.isDone) return this.#ids.has(seriesId);
    const series = this.#table.get(seriesId);
    return series !== undefined && !series.isDamaged && this.#matches(series);
  }

  /**
   * Examines more of the series, new ones included, until `isSpent` returns true; at least a few. Returns false if there
   * are more to examine, or if too many match.
   */
  advance(isSpent: IsSpent): boolean {
    this.#followRemovals();
    do {
      if (this.#isTooMany || this.isDone) break;
      if (this.#cached) this.#advanceCached(this.#cached);
      else if (this.#names.length > 0) this.#examineNames();
      else if (this.#text) this.#readText(this.#text, isSpent);
      else if (this.#range < this.#ranges.length) this.#readNames();
      else if (this.#nextId < this.#table.nextId) this.#catchUp();
      else break;
      if (this.#ids.size > MAX_SELECTED) this.#giveUp();
    } while (!isSpent());
    return this.isDone;
  }

  #start(): void {
    this.#ids.clear();
    this.#names = [];
    this.#text = undefined;
    this.#isTooMany = false;
    this.#nextId = this.#table.nextId;
    this.#removals = this.#table.removals;
    if (this.#table.isComplete && !isNarrow(this.#topics)) this.#cached = this.#table.cached();
    else this.#startOnNames();
  }

  /** Starts again if the removals are no longer remembered, or if there may no longer be too many matching series. */
  #followRemovals(): void {
    // What is removed while the text is examined is dropped after that, as the text still has it.
    if (this.#text) return;
    const { removals } = this.#table;
    if (removals === this.#removals || (this.#isTooMany && removals - this.#removals < MAX_SELECTED)) return;
    const removed = this.#isTooMany ? undefined : this.#table.removedSince(this.#removals);
    if (removed === undefined) {
      this.#start();
      return;
    }
    for (const id of removed) this.#ids.delete(id);
    const gone = new Set(removed);
    this.#names = this.#names.filter(({ id }) => !gone.has(id));
    this.#removals = removals;
  }

  #advanceCached(cached: IterableIterator<Series>): void {
    for (let count = 0; count < CHUNK_SERIES; count++) {
      const { value: series, done } = cached.next();
      if (done) {
        this.#cached = undefined;
        this.#nextId = this.#table.nextId;
        break;
      }
      if (!series.isDamaged && this.#matches(series)) this.#ids.add(series.id);
    }
    // Some were dropped from memory, perhaps before they were examined.
    if (!this.#table.isComplete) this.#startOnNames();
  }

  #startOnNames(): void {
    this.#read = 0;
    this.#startOnIndex();
    if (!isNarrow(this.#topics)) this.#leaveIndex();
  }

  #startOnText(text: NameText): void {
    this.#cached = undefined;
    this.#names = [];
    this.#ranges = [];
    this.#text = text;
    this.#block = 0;
    this.#nextId = text.nextId;
    this.#removals = text.removals;
  }

  #startOnIndex(): void {
    this.#cached = undefined;
    this.#names = [];
    this.#range = 0;
    this.#after = undefined;
    this.#ranges = rangesOf(this.#topics);
  }

  #readText(text: NameText, isSpent: IsSpent): void {
    const block = text.block(this.#block, isSpent);
    if (block !== undefined) {
      this.#names = namesInBlock(block, this.#literals);
      this.#block++;
    } else if (text.isComplete || text.isTooLarge) {
      this.#text = undefined;
      if (text.isTooLarge) this.#startAgainOnIndex();
      else this.#followRemovals();
    }
  }

  #startAgainOnIndex(): void {
    this.#hasFailedOnText = true;
    this.#ids.clear();
    this.#nextId = this.#table.nextId;
    this.#removals = this.#table.removals;
    this.#startOnIndex();
  }

  #readNames(): void {
    const range = this.#ranges[this.#range];
    const names = range ? this.#table.namesIn(range, this.#after, this.#source, CHUNK_NAMES) : [];
    this.#names = names;
    this.#read += names.length;
    this.#after = names.at(-1);
    if (names.length < CHUNK_NAMES) {
      this.#range++;
      this.#after = undefined;
    }
    if (this.#read > MAX_READ && this.#range < this.#ranges.length) this.#leaveIndex();
  }

  /** The ranges are wide: examining the text from its beginning takes less time. */
  #leaveIndex(): void {
    const text = this.#source === undefined && !this.#hasFailedOnText ? this.#texts.current() : undefined;
    if (text) this.#startOnText(text);
  }

  #examineNames(): void {
    for (const name of this.#names.splice(-CHUNK_SERIES)) if (this.#matches(name)) this.#ids.add(name.id);
  }

  #catchUp(): void {
    if (this.#table.nextId - this.#nextId > MAX_NEW && isNarrow(this.#topics)) {
      this.#nextId = this.#table.nextId;
      this.#startOnNames();
      return;
    }
    for (let left = CHUNK_SERIES; left > 0 && this.#nextId < this.#table.nextId; left--) {
      const series = this.#table.get(this.#nextId++);
      if (series && !series.isDamaged && this.#matches(series)) this.#ids.add(series.id);
    }
  }

  #matches({ topic, source }: Pick<Name, "topic" | "source">): boolean {
    return (this.#source === undefined || source === this.#source) && this.#topics?.matches(topic) !== false;
  }

  #giveUp(): void {
    this.#isTooMany = true;
    this.#ids.clear();
    this.#cached = undefined;
    this.#names = [];
    this.#text = undefined;
  }
}

/** The ranges of an index that contain the topics. */
export function rangesOf(topics: TopicMatcher | undefined): NameRange[] {
  if (topics === undefined) return [{ from: "", below: undefined }];
  return topics.ranges.map((range) => ({ from: range.prefix, below: endOf(range) }));
}

/** Whether an index leads directly to the matching names. */
function isNarrow(topics: TopicMatcher | undefined): boolean {
  return topics?.ranges.every(({ prefix }) => prefix !== "") ?? false;
}

/** The first text after the range; undefined if there is none. */
function endOf({ prefix, isWhole }: TopicRange): string | undefined {
  return isWhole ? `${prefix}\0` : textAfter(prefix);
}

/** The first text, in code point order, that is greater than all that begin with `prefix`. */
function textAfter(prefix: string): string | undefined {
  const characters = Array.from(prefix);
  while (characters.at(-1) === LAST_CHARACTER) characters.pop();
  const last = characters.pop()?.codePointAt(0);
  if (last === undefined) return undefined;
  return (
    characters.join("") + String.fromCodePoint(last === LAST_BEFORE_SURROGATES ? FIRST_AFTER_SURROGATES : last + 1)
  );
}

const LAST_CHARACTER = "\u{10FFFF}";
const LAST_BEFORE_SURROGATES = 0xd7ff;
const FIRST_AFTER_SURROGATES = 0xe000;
