import type { Distance } from "./replays.ts";

/** Subscribers that are behind at one distance. */
export interface Behind {
  readonly subscribers: number;
  /** Events between the one furthest behind and the newest, paused subscribers included; 0 if there are none. */
  readonly lag: number;
}

/** Some members at the same position. */
export interface BehindAt {
  readonly distance: Distance;
  readonly members: number;
  readonly lag: number;
}

/** How many are behind at each distance, and by how much. */
export function summaryOf(...places: readonly Iterable<BehindAt>[]): Readonly<Record<Distance, Behind>> {
  const summary = { near: { subscribers: 0, lag: 0 }, far: { subscribers: 0, lag: 0 } };
  for (const some of places) {
    for (const { distance, members, lag } of some) {
      const at = summary[distance];
      at.subscribers += members;
      at.lag = Math.max(at.lag, lag);
    }
  }
  return summary;
}
