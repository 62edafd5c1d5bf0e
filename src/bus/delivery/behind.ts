import type { Distance } from "./replays.ts";

/** Subscribers who are behind at one distance. */
export interface Behind {
  readonly subscribers: number;
  /** Events between the hindmost and the newest, of those who take nothing too; 0 when there is none. */
  readonly lag: number;
}

/** Some members who stand at one place. */
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
