import { BusError } from "../errors.ts";
import {
  ANY_CHARACTER,
  type CharacterSet,
  type CodePointRange,
  characterSetOf,
  complementOf,
} from "./character-set.ts";

/** A run of characters (`star`), one character out of a set, or one of several branches. */
export type PatternPart =
  | { readonly kind: "star" }
  | { readonly kind: "character"; readonly set: CharacterSet }
  | { readonly kind: "choice"; readonly branches: readonly PatternBranch[] };

/** Consecutive parts, and their size once their braces are expanded. */
export interface PatternBranch {
  readonly parts: readonly PatternPart[];
  readonly alternatives: number;
  /** Code points of all alternatives together, as written. */
  readonly characters: number;
}

/** Far longer than any pattern that people write; processing a pattern costs at least its length. */
const MAX_PATTERN_CHARACTERS = 256;

/** Braces multiply: 64 written pairs would be 2^64 alternatives. No one writes more than this by hand. */
const MAX_ALTERNATIVES = 64;

/** The cost of a pattern is that of its expansion, so this bounds the memory and the time of one pattern. */
const MAX_EXPANDED_CHARACTERS = 4096;

/**
 * Parses a pattern by the grammar of Go's `path.Match`, extended by `{a,b}`.
 *
 * @throws BusError `pattern_invalid`, with the `position` of the error, if the pattern is malformed anywhere, is empty,
 * or exceeds one of the limits above.
 */
export function parsePatternGrammar(text: string): PatternBranch {
  checkPatternText(text);
  const branch = new PatternReader(text).readPattern();
  if (branch.characters === 0) throw patternInvalid('a pattern must not be empty; "*" matches every topic', 0);
  return branch;
}

/** A `pattern_invalid` whose `position` is counted in UTF-16 code units from 0. */
export function patternInvalid(detail: string, position: number): BusError {
  return new BusError("pattern_invalid", detail, { members: { position } });
}

/** Checks what is required of every pattern. Throws `pattern_invalid` if the text is too long or not valid Unicode. */
export function checkPatternText(text: string): void {
  if (text.length > MAX_PATTERN_CHARACTERS) {
    // No character takes more than two code units, so a huge text is rejected without being counted.
    const start = Array.from(text.slice(0, 2 * MAX_PATTERN_CHARACTERS + 1)).slice(0, MAX_PATTERN_CHARACTERS);
    const position = start.join("").length;
    if (position < text.length) {
      throw patternInvalid(`a pattern must be at most ${MAX_PATTERN_CHARACTERS} characters long`, position);
    }
  }
  const loneSurrogate = text.search(/\p{Cs}/u);
  if (loneSurrogate >= 0) {
    throw patternInvalid("a pattern must be valid Unicode; this is a lone surrogate", loneSurrogate);
  }
}

const STAR: PatternPart = { kind: "star" };

class PatternReader {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readPattern(): PatternBranch {
    const branch = this.#readBranch("");
    if (this.#offset < this.#text.length) {
      throw patternInvalid("a } must close a {; write \\} for the character itself", this.#offset);
    }
    return branch;
  }

  /** Reads up to the end of the text, a `}` or a character of `ends`, which is left to the caller. */
  #readBranch(ends: string): PatternBranch {
    const parts: PatternPart[] = [];
    let alternatives = 1;
    let characters = 0;
    for (let next = this.#peek(); next !== "" && next !== "}" && !ends.includes(next); next = this.#peek()) {
      const start = this.#offset;
      const part = this.#readPart();
      const width = part.kind === "choice" ? sum(part.branches, "alternatives") : 1;
      const length = part.kind === "choice" ? sum(part.branches, "characters") : this.#charactersSince(start);
      characters = characters * width + length * alternatives;
      alternatives *= width;
      checkExpansion(alternatives, characters, start);
      if (part.kind !== "star" || parts.at(-1) !== STAR) parts.push(part);
    }
    return { parts, alternatives, characters };
  }

  #readPart(): PatternPart {
    const start = this.#offset;
    switch (this.#take()) {
      case "*":
        return STAR;
      case "?":
        return { kind: "character", set: ANY_CHARACTER };
      case "[":
        return { kind: "character", set: this.#readClass(start) };
      case "{":
        return { kind: "choice", branches: this.#readBranches(start) };
      default:
        this.#offset = start;
        return { kind: "character", set: characterSetOf(this.#takeCodePoint()) };
    }
  }

  #readBranches(open: number): PatternBranch[] {
    const branches: PatternBranch[] = [];
    for (;;) {
      const start = this.#offset;
      branches.push(this.#readBranch(","));
      checkExpansion(sum(branches, "alternatives"), sum(branches, "characters"), start);
      const end = this.#take();
      if (end === "}") return branches;
      if (end === "") throw patternInvalid("a { must be closed by a }; write \\{ for the character itself", open);
    }
  }

  #readClass(open: number): CharacterSet {
    const negated = this.#peek() === "^";
    if (negated) this.#offset += 1;
    const ranges: CodePointRange[] = [this.#readRange(open)];
    while (this.#peek() !== "]") ranges.push(this.#readRange(open));
    this.#offset += 1;
    // Go reads [z-a] as a range that contains nothing.
    const set = ranges.filter(({ first, last }) => first <= last);
    return negated ? complementOf(set) : set;
  }

  #readRange(open: number): CodePointRange {
    const first = this.#takeClassCodePoint(open);
    if (this.#peek() !== "-") return { first, last: first };
    this.#offset += 1;
    return { first, last: this.#takeClassCodePoint(open) };
  }

  #takeClassCodePoint(open: number): number {
    const next = this.#peek();
    if (next === "") throw patternInvalid("a [ must be closed by a ]; write \\[ for the character itself", open);
    if (next === "]" || next === "-") {
      throw patternInvalid(`a class needs a character here; write \\${next} for the character itself`, this.#offset);
    }
    return this.#takeCodePoint();
  }

  /** Takes one character, or the one after a backslash. */
  #takeCodePoint(): number {
    const start = this.#offset;
    if (this.#peek() === "\\") this.#offset += 1;
    const codePoint = this.#text.codePointAt(this.#offset);
    if (codePoint === undefined) {
      throw patternInvalid("a backslash must precede a character; write \\\\ for the character itself", start);
    }
    this.#offset += codePoint > 0xffff ? 2 : 1;
    return codePoint;
  }

  #peek(): string {
    return this.#text.charAt(this.#offset);
  }

  #take(): string {
    return this.#text.charAt(this.#offset++);
  }

  #charactersSince(start: number): number {
    return Array.from(this.#text.slice(start, this.#offset)).length;
  }
}

function sum(branches: readonly PatternBranch[], count: "alternatives" | "characters"): number {
  return branches.reduce((total, branch) => total + branch[count], 0);
}

/** Checked while reading, so that no braces are ever expanded past the limit. */
function checkExpansion(alternatives: number, characters: number, position: number): void {
  if (alternatives > MAX_ALTERNATIVES) {
    throw patternInvalid(`a pattern must expand to at most ${MAX_ALTERNATIVES} alternatives`, position);
  }
  if (characters > MAX_EXPANDED_CHARACTERS) {
    const detail = `a pattern must expand to at most ${MAX_EXPANDED_CHARACTERS} characters in all`;
    throw patternInvalid(detail, position);
  }
}
