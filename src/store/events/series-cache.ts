import type { Series } from "./series.ts";
import { SeriesNames } from "./series-names.ts";

/** Series kept in memory at first: 40 MB, at about 300 bytes each. */
const FIRST_SERIES = 131_072;
/** Maximum number of series kept, if that many are in use: 100,000 topics with three sources. */
export const MAX_CACHED_SERIES = 320_000;
/** Characters of the names of all of them. */
const MAX_CHARACTERS = 32 * 1024 * 1024;

/**
 * Series by id and by name. If there are too many, the oldest are dropped, except those used since they were last
 * examined. Each miss adds room for one more series, so the cache grows only if series in use were dropped: topics that
 * are never used again take little memory.
 */
export class SeriesCache {
  /** Those that are not damaged, by name. */
  readonly names = new SeriesNames();
  readonly #maxSeries: number;
  readonly #byId = new Map<number, Series>();
  #room: number;
  #hand = this.#byId.values();
  #characters = 0;
  #isComplete = false;

  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
    this.#room = Math.min(FIRST_SERIES, maxSeries);
  }

  /** Every series of the file is in the cache. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Every series of the file has been added; from now on, new ones are added as well. */
  complete(): void {
    this.#isComplete = true;
  }

  all(): IterableIterator<Series> {
    return this.#byId.values();
  }

  get(id: number): Series | undefined {
    return this.#byId.get(id);
  }

  add(series: Series): void {
    this.#byId.set(series.id, series);
    this.#characters += charactersOf(series);
    if (!series.isDamaged) this.names.add(series);
    while (this.#byId.size > this.#room || this.#characters > MAX_CHARACTERS) this.#dropOne();
  }

  /** A series in use was not in the cache; it is added now, and adds the room for itself. */
  miss(): void {
    this.#room = Math.min(this.#room + 1, this.#maxSeries);
  }

  remove(series: Series): void {
    if (!this.#byId.delete(series.id)) return;
    this.#characters -= charactersOf(series);
    this.names.remove(series);
  }

  /** The iterator keeps its place, as a `Map` is slow to find its first entry after many removals. */
  #dropOne(): void {
    for (;;) {
      const { value: series, done } = this.#hand.next();
      if (done) this.#hand = this.#byId.values();
      else if (series.isUsed) {
        // It moves to the end.
        series.isUsed = false;
        this.#byId.delete(series.id);
        this.#byId.set(series.id, series);
      } else {
        this.remove(series);
        this.#isComplete = false;
        return;
      }
    }
  }
}

function charactersOf({ topic, source }: Series): number {
  return topic.length + source.length;
}
