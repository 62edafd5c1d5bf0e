import type { Series } from "./series.ts";

/** Series that are kept in memory as long as that is enough: 20 MB, at about 300 bytes each. */
const FIRST_SERIES = 65_536;
/** Series that are kept at the most, when so many are in use: 100,000 topics of three sources. */
export const MAX_CACHED_SERIES = 320_000;
/** Characters of the names of all of these. */
const MAX_CHARACTERS = 32 * 1024 * 1024;

/**
 * Series by id and by name. When there are too many, the oldest go, unless they were used since they were last looked at.
 * With each one that is missed after it went, there is room for one more: topics that never come again take little.
 */
export class SeriesCache {
  readonly #maxSeries: number;
  #room: number;
  readonly #byId = new Map<number, Series>();
  /** By source first, as there are fewer sources than topics as a rule. Damaged series are not in it. */
  readonly #bySource = new Map<string, Map<string, Series>>();
  #characters = 0;
  #isComplete = false;

  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
    this.#room = Math.min(FIRST_SERIES, maxSeries);
  }

  /** Every series of the file is here. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Every series of the file was added; from now on, new ones are, too. */
  complete(): void {
    this.#isComplete = true;
  }

  all(): IterableIterator<Series> {
    return this.#byId.values();
  }

  get(id: number): Series | undefined {
    return this.#byId.get(id);
  }

  #hand = this.#byId.values();

  find(topic: string, source: string): Series | undefined {
    return this.#bySource.get(source)?.get(topic);
  }

  add(series: Series): void {
    this.#byId.set(series.id, series);
    this.#characters += charactersOf(series);
    if (!series.isDamaged) this.#ofSource(series.source).set(series.topic, series);
    while (this.#byId.size > this.#room || this.#characters > MAX_CHARACTERS) this.#dropOne();
  }

  /** A series in use was not here: it is now, and makes room for itself. */
  miss(): void {
    this.#room = Math.min(this.#room + 1, this.#maxSeries);
  }

  remove(series: Series): void {
    if (!this.#byId.delete(series.id)) return;
    this.#characters -= charactersOf(series);
    const ofSource = this.#bySource.get(series.source);
    if (ofSource?.get(series.topic) !== series) return;
    ofSource.delete(series.topic);
    if (ofSource.size === 0) this.#bySource.delete(series.source);
  }

  #ofSource(source: string): Map<string, Series> {
    const known = this.#bySource.get(source);
    if (known) return known;
    const made = new Map<string, Series>();
    this.#bySource.set(source, made);
    return made;
  }

  /** A hand that stays where it is: a `Map` is slow to find its first entry again after many were removed. */
  #dropOne(): void {
    for (;;) {
      const { value: series, done } = this.#hand.next();
      if (done) this.#hand = this.#byId.values();
      else if (series.isUsed) {
        // It stands last again.
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
