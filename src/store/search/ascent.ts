import type { Chains } from "../events/chains.ts";
import type { IsSpent } from "./allowance.ts";
import { Heap } from "./heap.ts";
import type { Candidates, Merge, Search } from "./search.ts";

/** Maximum number of events of one series that are looked up together: about a millisecond if none is in memory. */
const MAX_BATCH = 64;

/** The next events of a series, the oldest last, and where its next look-up starts. */
interface Climb {
  readonly seriesId: number;
  readonly ids: number[];
  nextDepth: number;
  batch: number;
}

/**
 * Oldest first, up to the end that the first search had: later events may be of other series.
 *
 * No event names the one after it, so several events of a series are looked up together: the last of them is found by
 * its depth, and `previous` leads from there to the others. Each look-up of a series is twice as large as the one
 * before.
 */
export class Ascent implements Merge {
  readonly #chains: Chains;
  readonly #start: number;
  readonly #until: number;
  readonly #batch: number;
  /** Series in which the start was not found yet. */
  readonly #unplaced: number[];
  readonly #next = new Heap<{ readonly id: number; readonly climb: Climb }>((a, b) => a.id < b.id);
  /** Events that were found and not passed yet. */
  #found: number[] = [];
  /** All events up to this id that are above the last start are among those found. */
  #position: number;
  /** The start of the last search: nothing up to here is known. */
  #low: number;

  constructor(chains: Chains, seriesIds: number[], { low, high, limit }: Search) {
    this.#chains = chains;
    this.#unplaced = seriesIds;
    this.#start = low;
    this.#position = low;
    this.#low = low;
    this.#until = high;
    this.#batch = Math.min(Math.max(1, Math.ceil(limit / seriesIds.length)), MAX_BATCH);
  }

  canContinue({ direction, low }: Search): boolean {
    if (direction === -1 || low < this.#low || low >= this.#until - 1) return false;
    // Where the next events were pruned, no look-up can start.
    return this.#chains.isKept(this.#next.first?.id ?? this.#until);
  }

  take({ low, high, limit }: Search, isSpent: IsSpent): Candidates | undefined {
    this.#low = low;
    this.#found = this.#found.filter((id) => id > low);
    if (!this.#place(isSpent)) return undefined;
    let isMore = true;
    while (isMore && this.#found.length < limit) {
      isMore = this.#find(low);
      if (isSpent()) break;
    }
    const ids = this.#found.slice(0, limit);
    if (!isMore && ids.length === this.#found.length) {
      return { ids, end: this.#until - 1, done: this.#until >= high };
    }
    const end = ids.length === limit ? (ids.at(-1) ?? low) : this.#position;
    return end > low ? { ids, end, done: false } : undefined;
  }

  /** Finds the start in more of the series; returns false if some are left. */
  #place(isSpent: IsSpent): boolean {
    for (let seriesId = this.#unplaced.pop(); seriesId !== undefined; seriesId = this.#unplaced.pop()) {
      const first = this.#chains.firstAfter(seriesId, this.#start);
      if (first) this.#goOn({ seriesId, ids: [], nextDepth: first.depth, batch: this.#batch });
      if (isSpent()) break;
    }
    return this.#unplaced.length === 0;
  }

  /** Finds the next event; returns false if there is none. */
  #find(low: number): boolean {
    const found = this.#next.take();
    if (found === undefined) return false;
    if (found.id > low) this.#found.push(found.id);
    this.#position = found.id;
    this.#goOn(found.climb);
    return true;
  }

  /** Adds the next event of a series to the heap. */
  #goOn(climb: Climb): void {
    if (climb.ids.length === 0) this.#lookUp(climb);
    const id = climb.ids.pop();
    if (id !== undefined && id < this.#until) this.#next.add({ id, climb });
  }

  #lookUp(climb: Climb): void {
    const { seriesId, nextDepth, batch } = climb;
    let head = this.#chains.atDepth(seriesId, nextDepth + batch - 1);
    if (head.depth < nextDepth) return;
    climb.nextDepth = head.depth + 1;
    climb.batch = Math.min(batch * 2, MAX_BATCH);
    climb.ids.push(head.id);
    while (head.depth > nextDepth) {
      head = this.#chains.head(seriesId, head.previous);
      climb.ids.push(head.id);
    }
  }
}
