/** Target duration of a slice, in milliseconds: a quarter of the promised 10, as a checkpoint may be added to it. */
const SLICE_MS = 2.5;

/**
 * The size of the next slice: what would have taken `SLICE_MS`, but at most twice the last size, and within the bounds.
 */
export function paced(size: number, startMs: number, [low, high]: readonly [number, number]): number {
  const tookMs = Math.max(performance.now() - startMs, 0.01);
  return Math.min(Math.max(Math.floor(size * Math.min(SLICE_MS / tookMs, 2)), low), high);
}
