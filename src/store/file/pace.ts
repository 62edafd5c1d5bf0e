/** Target duration of a slice, in milliseconds: a quarter of the promised 10, as a checkpoint may be added to it. */
const SLICE_MS = 2.5;

/**
 * The size of the next slice: what would have taken `SLICE_MS`, but at most twice the last size, and within the bounds.
 * `tookMs` is the duration of the last slice, without its wait for the disk: that is the same for a smaller slice, and
 * smaller slices would only wait more often.
 */
export function paced(size: number, tookMs: number, [low, high]: readonly [number, number]): number {
  return Math.min(Math.max(Math.floor(size * Math.min(SLICE_MS / Math.max(tookMs, 0.01), 2)), low), high);
}
