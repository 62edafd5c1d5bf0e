import type { Segments } from "./segment.ts";
import type { Series } from "./series.ts";

interface TailPosting {
  readonly segment: number;
  readonly offsets: number[];
}

/** What is known of a series: its postings up to an id, oldest first. */
interface Gathered {
  upTo: number;
  readonly postings: TailPosting[];
}

/**
 * Whose the events of the unfinished segments are.
 *
 * Every publish adds to it, so that must cost next to nothing: an event only points back to the one of its series before
 * it. The ids of a series are gathered along these pointers when they are asked for, those that are new since the last time.
 */
export class Tail {
  readonly #segments: Segments;
  /** By id, from `#first` on; undefined where nobody can tell. */
  readonly #series: (Series | undefined)[] = [];
  /** The id of the same series before each; below `#first` when there is none. */
  readonly #previous: number[] = [];
  readonly #gathered = new Map<Series, Gathered>();
  #first: number;

  constructor(segments: Segments, first: number) {
    this.#segments = segments;
    this.#first = first;
  }

  /** The id that is added next. */
  get next(): number {
    return this.#first + this.#series.length;
  }

  /** Adds the next ids, of these series. */
  addAll(added: readonly (Series | undefined)[]): void {
    const { next } = this;
    for (let index = 0; index < added.length; index++) {
      const series = added[index];
      this.#series.push(series);
      this.#previous.push(series?.tailId ?? 0);
      if (series) series.tailId = next + index;
    }
  }

  /** Whose the event is; undefined when nobody can tell, or the event is not in the tail. */
  at(id: number): Series | undefined {
    return this.#series[id - this.#first];
  }

  /** The postings of a series, oldest first. */
  postings(series: Series): readonly TailPosting[] {
    const known = this.#gathered.get(series) ?? { upTo: 0, postings: [] };
    if (series.tailId < Math.max(known.upTo + 1, this.#first)) return known.postings;
    for (const { segment, offsets } of this.#gather(series, known.upTo)) {
      const last = known.postings.at(-1);
      if (last?.segment !== segment) known.postings.push({ segment, offsets });
      else for (const offset of offsets) last.offsets.push(offset);
    }
    known.upTo = series.tailId;
    this.#gathered.set(series, known);
    return known.postings;
  }

  /** The offsets of a series in a segment. */
  offsetsIn(series: Series, segment: number): readonly number[] {
    return this.postings(series).find((posting) => posting.segment === segment)?.offsets ?? [];
  }

  /** Every series that has events in the segment, once, by id. */
  seriesIn(segment: number): Series[] {
    const first = this.#segments.firstOf(segment);
    const end = Math.min(this.#segments.lastOf(segment) + 1, this.next);
    const found: Series[] = [];
    for (let id = Math.max(first, this.#first); id < end; id++) {
      const series = this.at(id);
      if (series && (this.#previous[id - this.#first] ?? 0) < first) found.push(series);
    }
    return found.sort((a, b) => a.id - b.id);
  }

  /** Forgets the ids up to this one. */
  drop(last: number): void {
    const count = Math.max(0, last + 1 - this.#first);
    this.#series.splice(0, count);
    this.#previous.splice(0, count);
    this.#gathered.clear();
    this.#first += count;
  }

  /** The postings of a series after an id, oldest first. */
  #gather(series: Series, after: number): TailPosting[] {
    const found: TailPosting[] = [];
    const end = Math.max(after + 1, this.#first);
    let first = Number.POSITIVE_INFINITY;
    let offsets: number[] = [];
    for (let id = series.tailId; id >= end; id = this.#previous[id - this.#first] ?? 0) {
      if (id < first) {
        const segment = this.#segments.of(id);
        first = this.#segments.firstOf(segment);
        offsets = [];
        found.push({ segment, offsets });
      }
      offsets.push(id - first);
    }
    for (const posting of found) posting.offsets.reverse();
    return found.reverse();
  }
}
