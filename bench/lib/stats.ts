/** The value at a share from 0 to 1 of the sorted numbers; 0 when there are none. */
export function percentile(numbers: readonly number[], share: number): number {
  const ascending = Float64Array.from(numbers).sort();
  const index = Math.min(ascending.length - 1, Math.floor(ascending.length * share));
  return ascending[index] ?? 0;
}

/** The middle one, or the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const ascending = Float64Array.from(numbers).sort();
  const middle = ascending.length >> 1;
  const upper = ascending[middle] ?? 0;
  return ascending.length % 2 === 1 ? upper : ((ascending[middle - 1] ?? 0) + upper) / 2;
}

export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

export function maximum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}

export function minimum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

/** How far the rounds lie apart: the largest minus the smallest, as a share of the median. */
export function spread(numbers: readonly number[]): number {
  const middle = median(numbers);
  return middle === 0 ? 0 : (maximum(numbers) - minimum(numbers)) / middle;
}
