import type { Chains } from "./chains.ts";
import { Heap } from "./heap.ts";

/** A search: ids between `low` and `high`, both exclusive, in the given direction. */
export interface Search {
  readonly low: number;
  readonly high: number;
  readonly limit: number;
  /** 1: oldest first; -1: newest first. */
  readonly direction: 1 | -1;
}

/** The ids that were found, in the order of the search, and how far it went. */
export interface Candidates {
  readonly ids: readonly number[];
  readonly end: number;
  readonly done: boolean;
}

/** Heads that one call reads: a few milliseconds if none is in memory. */
const MAX_READS = 1024;
/** Maximum number of events of one series that are looked up together. */
const MAX_BATCH = 256;

/** The next event of a series. */
interface Next {
  readonly id: number;
  readonly seriesId: number;
}

/**
 * Merges the events of some series, in the order of the search.
 *
 * What holds: every event of these series that the search has passed is among the ids. Returns undefined if finding the
 * start position in every series takes more than the allowed reads; the caller then walks along all events. Throws
 * `BrokenChain`.
 */
export function merge(chains: Chains, seriesIds: ReadonlySet<number>, search: Search): Candidates | undefined {
  return search.direction === 1 ? new Ascent(chains, search).run(seriesIds) : descend(chains, seriesIds, search);
}

/** Newest first. A heap holds the next event of each series; each event names the one before it. */
function descend(chains: Chains, seriesIds: ReadonlySet<number>, search: Search): Candidates | undefined {
  const { low, high, limit } = search;
  const lastRead = chains.reads + MAX_READS;
  const next = new Heap<Next>((a, b) => a.id > b.id);
  for (const seriesId of seriesIds) {
    const id = chains.lastBefore(seriesId, high);
    if (id > low) next.add({ id, seriesId });
    if (chains.reads > lastRead) return undefined;
  }
  const ids: number[] = [];
  for (let found = next.take(); found !== undefined; found = next.take()) {
    ids.push(found.id);
    if (ids.length === limit || chains.reads > lastRead) return { ids, end: found.id, done: false };
    const { previous } = chains.head(found.seriesId, found.id);
    if (previous > low) next.add({ id: previous, seriesId: found.seriesId });
  }
  return { ids, end: low + 1, done: true };
}

/** The next events of a series, the oldest last, and where its next look-up starts. */
interface Climb {
  readonly seriesId: number;
  readonly ids: number[];
  nextDepth: number;
  batch: number;
}

/**
 * Oldest first. No event names the one after it, so several events of a series are looked up together: the last of them
 * is found by its depth, and `previous` leads from there to the others. Each look-up of a series is twice as large as
 * the one before.
 */
class Ascent {
  readonly #chains: Chains;
  readonly #search: Search;
  readonly #next = new Heap<{ readonly id: number; readonly climb: Climb }>((a, b) => a.id < b.id);
  readonly #lastRead: number;

  constructor(chains: Chains, search: Search) {
    this.#chains = chains;
    this.#search = search;
    this.#lastRead = chains.reads + MAX_READS;
  }

  run(seriesIds: ReadonlySet<number>): Candidates | undefined {
    const { low, high, limit } = this.#search;
    const batch = Math.min(Math.ceil(limit / seriesIds.size), MAX_BATCH);
    for (const seriesId of seriesIds) {
      const first = this.#chains.firstAfter(seriesId, low);
      if (first && first.id < high) this.#goOn({ seriesId, ids: [], nextDepth: first.depth, batch });
      if (this.#chains.reads > this.#lastRead) return undefined;
    }
    const ids: number[] = [];
    for (let found = this.#next.take(); found !== undefined; found = this.#next.take()) {
      ids.push(found.id);
      if (ids.length === limit || this.#chains.reads > this.#lastRead) return { ids, end: found.id, done: false };
      this.#goOn(found.climb);
    }
    return { ids, end: high - 1, done: true };
  }

  /** Adds the next event of a series to the heap. */
  #goOn(climb: Climb): void {
    if (climb.ids.length === 0) this.#lookUp(climb);
    const id = climb.ids.pop();
    if (id !== undefined && id < this.#search.high) this.#next.add({ id, climb });
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
