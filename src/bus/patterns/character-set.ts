/** The code points from `first` to `last`, both included. */
export interface CodePointRange {
  readonly first: number;
  readonly last: number;
}

/** The characters that one position of a pattern matches, in no particular order. No ranges: none. */
export type CharacterSet = readonly CodePointRange[];

const MAX_CODE_POINT = 0x10ffff;
const SLASH = 0x2f;

/** What `?` matches: one character, but not the slash, as in Go. */
export const ANY_CHARACTER: CharacterSet = complementOf([{ first: SLASH, last: SLASH }]);

/** The set of just one character. */
export function characterSetOf(codePoint: number): CharacterSet {
  return [{ first: codePoint, last: codePoint }];
}

/** Every code point that is not in `set`. */
export function complementOf(set: CharacterSet): CharacterSet {
  const gaps: CodePointRange[] = [];
  let next = 0;
  for (const { first, last } of [...set].sort((a, b) => a.first - b.first)) {
    if (first > next) gaps.push({ first: next, last: first - 1 });
    next = Math.max(next, last + 1);
  }
  if (next <= MAX_CODE_POINT) gaps.push({ first: next, last: MAX_CODE_POINT });
  return gaps;
}

/** Whether `codePoint` is in `set`. */
export function holds(set: CharacterSet, codePoint: number): boolean {
  for (const range of set) {
    if (codePoint >= range.first && codePoint <= range.last) return true;
  }
  return false;
}
