import type { Damage } from "../file/damage.ts";
import type { Bounds } from "./bounds.ts";
import { skipDepthOf, spanOf } from "./chain.ts";
import type { EventHead } from "./event-head.ts";
import { type EventTable, NOT_INTACT } from "./event-table.ts";
import { type Series, UNKNOWN } from "./series.ts";
import type { SeriesEnds } from "./series-ends.ts";
import type { SeriesTable } from "./series-table.ts";

/** Events whose heads are read at a time while the history is opened. */
const CHUNK_EVENTS = 4096;
/** Maximum number of series remembered as broken; with more, every chain is treated as broken. */
const MAX_BROKEN = 10_000;

/** The links of a new event in the chain of its series. */
export type Links = Pick<EventHead, "previous" | "skip" | "depth">;

/**
 * Thrown if a chain cannot be followed, because an event or the end of the series is damaged. The damage was reported.
 */
export class BrokenChain extends Error {}

export interface ChainsOptions {
  readonly bounds: Bounds;
  readonly ends: SeriesEnds;
  readonly series: SeriesTable;
  readonly events: EventTable;
  readonly damage: Damage;
}

/**
 * The events of each series, linked from the newest to the oldest (see `chain.ts`).
 *
 * What holds: from the end of a series, `previous` leads to every event of it that is kept, and a link that is below
 * the floor is the end of the chain. A chain that cannot be followed is remembered as broken; the events of that series
 * are then found by walking along all events.
 */
export class Chains {
  readonly #bounds: Bounds;
  readonly #ends: SeriesEnds;
  readonly #series: SeriesTable;
  readonly #events: EventTable;
  readonly #damage: Damage;
  readonly #broken = new Set<number>();
  #isTrusted = true;

  constructor({ bounds, ends, series, events, damage }: ChainsOptions) {
    this.#bounds = bounds;
    this.#ends = ends;
    this.#series = series;
    this.#events = events;
    this.#damage = damage;
  }

  /**
   * Brings the ends of the series up to the head, from the heads of the events after `endsTo`, the event up to which
   * the file has them.
   */
  readEndsAfter(endsTo: number): void {
    const { floor, head } = this.#bounds;
    for (let first = Math.max(endsTo + 1, floor); first <= head; first += CHUNK_EVENTS) {
      const last = Math.min(first + CHUNK_EVENTS - 1, head);
      for (const [index, seriesId] of this.#events.seriesBetween(first, last).entries()) {
        if (seriesId > 0) this.#ends.set(seriesId, first + index);
        else this.#distrust(`event ${first + index}: ${NOT_INTACT}`);
      }
    }
  }

  /**
   * False once damage was found that may hide an event of any series. It stays false until the file is opened again.
   */
  get isTrusted(): boolean {
    return this.#isTrusted && this.#series.isTrusted;
  }

  /** Whether retention has not removed the event; also true for an id that is still to come. */
  isKept(id: number): boolean {
    return id >= this.#bounds.floor;
  }

  /** Whether damage was found in the chain of the series. */
  isBroken(seriesId: number): boolean {
    return this.#broken.has(seriesId);
  }

  get hasBroken(): boolean {
    return this.#broken.size > 0;
  }

  /** Remembers that the chain of the series cannot be followed. */
  break(seriesId: number): void {
    this.#broken.add(seriesId);
    if (this.#broken.size > MAX_BROKEN) this.#isTrusted = false;
  }

  /** Starts the chain of a new series. */
  begin(series: Series): void {
    series.depth = -1;
    series.skip = 0;
    series.skipOfSkip = 0;
    series.thirdSkip = 0;
    series.fourthSkip = 0;
  }

  /**
   * Appends an event to the chain of its series and returns its links. If the event is not committed, call `takeBack`.
   *
   * The series keeps in memory its depth, the skip of its newest event, and up to three skips from there. The next skip
   * is one of these; when several trees are joined in a row they run out, and one head is read.
   */
  append(series: Series, id: number): Links {
    if (series.depth === UNKNOWN) this.#lookAtEnd(series);
    const previous = this.#ends.lastId(series.id);
    const depth = series.depth + 1;
    if (spanOf(depth) > 1) {
      series.skip = this.#kept(this.#skipOfSkip(series));
      series.skipOfSkip = series.thirdSkip;
      series.thirdSkip = series.fourthSkip;
      series.fourthSkip = UNKNOWN;
    } else {
      series.fourthSkip = series.thirdSkip;
      series.thirdSkip = series.skipOfSkip;
      series.skipOfSkip = series.skip;
      series.skip = depth === 0 ? 0 : this.#kept(previous);
    }
    series.depth = depth;
    this.#ends.set(series.id, id);
    return { previous, skip: series.skip, depth };
  }

  /** Removes the newest event from the chain of its series; `previous` becomes its end. */
  takeBack(series: Series, previous: number): void {
    this.#ends.set(series.id, previous);
    series.depth = UNKNOWN;
  }

  /** The newest event of the series; 0 if none is kept. Throws `BrokenChain`. */
  lastId(seriesId: number): number {
    const lastId = this.#ends.lastId(seriesId);
    if (!this.#ends.isIntact(seriesId)) throw this.#breakAt(seriesId);
    if (lastId === 0 && this.#series.get(seriesId)) {
      this.#damage.note(`series ${seriesId}: it has no newest event`);
      throw this.#breakAt(seriesId);
    }
    return lastId < this.#bounds.floor ? 0 : lastId;
  }

  /** The head of an event that is known to be kept and to be of the series. Throws `BrokenChain`. */
  head(seriesId: number, id: number): EventHead {
    const head = this.#events.head(id);
    if (head?.seriesId !== seriesId) throw this.#breakAt(seriesId);
    return head;
  }

  /** The newest event of the series below an id; 0 if none is kept. Throws `BrokenChain`. */
  lastBefore(seriesId: number, before: number): number {
    const { floor } = this.#bounds;
    let id = this.lastId(seriesId);
    while (id >= Math.max(before, floor)) {
      const { previous, skip } = this.head(seriesId, id);
      id = skip >= before ? skip : previous;
    }
    return id < floor ? 0 : id;
  }

  /** The oldest kept event of the series above an id. Throws `BrokenChain`. */
  firstAfter(seriesId: number, after: number): EventHead | undefined {
    const least = Math.max(after + 1, this.#bounds.floor);
    let id = this.lastId(seriesId);
    if (id < least) return undefined;
    for (;;) {
      const head = this.head(seriesId, id);
      if (head.skip >= least) id = head.skip;
      else if (head.previous >= least) id = head.previous;
      else return head;
    }
  }

  /**
   * The event of the series at this depth, which MUST be kept; the newest one if that is less deep. Throws
   * `BrokenChain`.
   */
  atDepth(seriesId: number, depth: number): EventHead {
    let head = this.head(seriesId, this.lastId(seriesId));
    while (head.depth > depth) {
      const isWithin = skipDepthOf(head.depth) >= depth && head.skip >= this.#bounds.floor;
      head = this.head(seriesId, isWithin ? head.skip : head.previous);
    }
    return head;
  }

  /** The depth of the newest event of the series; -1 if none is kept. Throws `BrokenChain`. */
  depth(seriesId: number): number {
    const lastId = this.lastId(seriesId);
    return lastId === 0 ? -1 : this.head(seriesId, lastId).depth;
  }

  /** How many events of the series are kept. Throws `BrokenChain`. */
  count(seriesId: number): number {
    const depth = this.depth(seriesId);
    if (depth < 1 || this.#bounds.floor === 1) return depth + 1;
    return depth - (this.firstAfter(seriesId, 0)?.depth ?? depth) + 1;
  }

  #lookAtEnd(series: Series): void {
    this.begin(series);
    try {
      const lastId = this.lastId(series.id);
      if (lastId === 0) return;
      const { depth, skip } = this.head(series.id, lastId);
      series.depth = depth;
      series.skip = skip;
      series.skipOfSkip = UNKNOWN;
      series.thirdSkip = UNKNOWN;
      series.fourthSkip = UNKNOWN;
    } catch (error) {
      // The new event starts a chain of its own. It still names the damaged event, so the break is found from there.
      if (!(error instanceof BrokenChain)) throw error;
    }
  }

  #skipOfSkip(series: Series): number {
    if (series.skipOfSkip === UNKNOWN) {
      const head = this.#kept(series.skip) === 0 ? undefined : this.#events.head(series.skip);
      series.skipOfSkip = head?.skip ?? 0;
    }
    return series.skipOfSkip;
  }

  #kept(id: number): number {
    return id < this.#bounds.floor ? 0 : id;
  }

  #distrust(detail: string): void {
    this.#isTrusted = false;
    this.#damage.note(detail);
  }

  #breakAt(seriesId: number): BrokenChain {
    this.break(seriesId);
    return new BrokenChain(`the chain of series ${seriesId} is damaged`);
  }
}
