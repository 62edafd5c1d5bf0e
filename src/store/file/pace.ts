/** Target duration of a slice, in milliseconds: a quarter of the promised 10, as a checkpoint may be added to it. */
const SLICE_MS = 2.5;

/**
 * The size of the next slice: what would have taken `sliceMs`, but at most twice the last size, and within the bounds.
 * `tookMs` is the duration of the last slice; without its wait for the disk where that is the same for a smaller slice,
 * as smaller slices would only wait more often.
 */
export function paced(
  size: number,
  tookMs: number,
  [low, high]: readonly [number, number],
  sliceMs: number = SLICE_MS,
): number {
  return Math.min(Math.max(Math.floor(size * Math.min(sliceMs / Math.max(tookMs, 0.01), 2)), low), high);
}
