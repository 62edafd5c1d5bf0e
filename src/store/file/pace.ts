/** What a slice may hold the loop for, in milliseconds: a quarter of the 10 that are promised, as a checkpoint may come with it. */
const SLICE_MS = 2.5;

/** The size of the next slice: as much as would have taken `SLICE_MS`, but no more than twice the last one, within the bounds. */
export function paced(size: number, startMs: number, [low, high]: readonly [number, number]): number {
  const tookMs = Math.max(performance.now() - startMs, 0.01);
  return Math.min(Math.max(Math.floor(size * Math.min(SLICE_MS / tookMs, 2)), low), high);
}
