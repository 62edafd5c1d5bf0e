import type { Chains } from "../events/chains.ts";
import type { IsSpent } from "./allowance.ts";
import { Heap } from "./heap.ts";
import type { Candidates, Merge, Search } from "./search.ts";

/** An event that was not returned yet. */
interface Next {
  readonly id: number;
  readonly seriesId: number;
}

/** Newest first. A heap holds the next event of each series; each event names the one before it. */
export class Descent implements Merge {
  readonly #chains: Chains;
  readonly #start: number;
  /** Series in which the start was not found yet. */
  readonly #unplaced: number[];
  readonly #next = new Heap<Next>((a, b) => a.id > b.id);
  /** Events that were found and not passed yet. */
  #found: number[] = [];
  /** All events from this id on that are below the last start are among those found. */
  #position: number;
  /** The end of the last search: nothing from here on is known. */
  #high: number;

  constructor(chains: Chains, seriesIds: number[], high: number) {
    this.#chains = chains;
    this.#unplaced = seriesIds;
    this.#start = high;
    this.#position = high;
    this.#high = high;
  }

  canContinue({ direction, high }: Search): boolean {
    return direction === -1 && high <= this.#high;
  }

  take({ low, high, limit }: Search, isSpent: IsSpent): Candidates | undefined {
    this.#high = high;
    this.#found = this.#found.filter((id) => id < high && id > low);
    if (!this.#place(isSpent)) return undefined;
    let isMore = true;
    while (isMore && this.#found.length < limit) {
      isMore = this.#find(low, high);
      if (isSpent()) break;
    }
    const ids = this.#found.slice(0, limit);
    if (!isMore && ids.length === this.#found.length) return { ids, end: low + 1, done: true };
    const end = ids.length === limit ? (ids.at(-1) ?? high) : this.#position;
    return end < high ? { ids, end, done: false } : undefined;
  }

  /** Finds the start in more of the series; returns false if some are left. */
  #place(isSpent: IsSpent): boolean {
    for (let seriesId = this.#unplaced.pop(); seriesId !== undefined; seriesId = this.#unplaced.pop()) {
      const id = this.#chains.lastBefore(seriesId, this.#start);
      if (id > 0) this.#next.add({ id, seriesId });
      if (isSpent()) break;
    }
    return this.#unplaced.length === 0;
  }

  /** Finds the next event; returns false if there is none above `low`. */
  #find(low: number, high: number): boolean {
    if ((this.#next.first?.id ?? 0) <= low) return false;
    const found = this.#next.take();
    if (found === undefined) return false;
    if (found.id < high) this.#found.push(found.id);
    this.#position = found.id;
    const { previous } = this.#chains.head(found.seriesId, found.id);
    if (previous > 0) this.#next.add({ id: previous, seriesId: found.seriesId });
    return true;
  }
}
