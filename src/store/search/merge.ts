import type { Chains } from "../events/chains.ts";
import { Ascent } from "./ascent.ts";
import { Descent } from "./descent.ts";
import type { Merge, Search } from "./search.ts";

/** Starts a merge. `seriesIds` MUST name every series with wanted events in the range of the search. */
export function mergeOf(chains: Chains, seriesIds: Iterable<number>, search: Search): Merge {
  const series = [...seriesIds];
  return search.direction === 1 ? new Ascent(chains, series, search) : new Descent(chains, series, search.high);
}
