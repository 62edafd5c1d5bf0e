import type { IsSpent } from "./allowance.ts";

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

/**
 * Merges the events of some series, in the order of a search. It is kept from one page of the search to the next.
 *
 * In this order: it finds where the search starts in every series, in as many calls as that takes; then it finds event
 * after event. What was found and not used by the caller is returned again.
 *
 * What holds: every event of these series that the search has passed was among the ids. Every method may throw
 * `BrokenChain`; the merge MUST NOT be used after that.
 */
export interface Merge {
  /** Whether the search continues the last one, perhaps some events further. */
  canContinue(search: Search): boolean;
  /** Returns undefined if it has not found the first event yet. */
  take(search: Search, isSpent: IsSpent): Candidates | undefined;
}
