/**
 * The candidate that a misspelt name most likely means; undefined when none is close. A third of its letters may
 * differ, but in any case two, or one in a name of fewer than four.
 */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(name.length < 4 ? 1 : 2, Math.floor(name.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const distance =
      name.length > MAX_LENGTH ? bestDistance : editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** No known name is longer; comparing a longer one is not worth its quadratic cost. */
const MAX_LENGTH = 64;

/** Levenshtein's distance, by the two-row method of Wagner and Fischer. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, left] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, right] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (left === right ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
