import picomatch from "picomatch";
import { ANY_CHARACTER, type CharacterSet } from "./character-set.ts";
import type { PatternBranch, PatternPart } from "./pattern-grammar.ts";

type FlatPart = Exclude<PatternPart, { kind: "choice" }>;

/** A pattern without braces: its parts, one after another. */
export type Alternative = readonly FlatPart[];

/** Every alternative of the braces written out, in the order they are written. */
export function expandBraces(branch: PatternBranch): Alternative[] {
  let alternatives: Alternative[] = [[]];
  for (const part of branch.parts) {
    const tails: Alternative[] = part.kind === "choice" ? part.branches.flatMap(expandBraces) : [[part]];
    alternatives = alternatives.flatMap((head) => tails.map((tail) => [...head, ...tail]));
  }
  return alternatives;
}

/**
 * One regular expression for all alternatives. picomatch translates the parts between the stars. The stars are ours,
 * because those of picomatch backtrack, which takes seconds on `*a*a*a*a*a*b`.
 */
export function regExpOf(alternatives: readonly Alternative[]): RegExp {
  let groups = 0;
  const sources = alternatives.map((alternative) => {
    const [head = "", ...runs] = splitAtStars(alternative).map(translateRun);
    const last = runs.pop();
    // The first place where a run is found is always good enough, so the star before it never needs another one: a
    // lookahead drops its alternatives, and the backreference takes what it found.
    const middle = runs.map((run) => `(?=([^/]*?${run}))\\${++groups}`).join("");
    return head + middle + (last === undefined ? "" : `[^/]*?${last}`);
  });
  return new RegExp(`^(?:${sources.join("|")})$`, "u");
}

/** The parts before, between and after the stars. */
function splitAtStars(alternative: Alternative): CharacterSet[][] {
  const runs: CharacterSet[][] = [[]];
  for (const part of alternative) {
    if (part.kind === "star") runs.push([]);
    else runs.at(-1)?.push(part.set);
  }
  return runs;
}

/**
 * Turns off everything that picomatch adds to `path.Match`; whatever it would still interpret is written as a class.
 */
const PICOMATCH_OPTIONS = {
  maxLength: 65_536,
  dot: true,
  literalBrackets: false,
  nobrace: true,
  noextglob: true,
  noglobstar: true,
  nonegate: true,
  posix: false,
  strictSlashes: true,
};

function translateRun(run: readonly CharacterSet[]): string {
  return run.length === 0 ? "" : picomatch.parse(run.map(globOf).join(""), PICOMATCH_OPTIONS).output;
}

/** Characters that are literal in picomatch and in a regular expression. */
const PLAIN_CHARACTER = /^[\w\u{a1}-\u{10ffff}-]$/u;

function globOf(set: CharacterSet): string {
  const [range, ...others] = set;
  if (set === ANY_CHARACTER) return "?";
  if (range === undefined) return "[^\\u{0}-\\u{10ffff}]";
  if (others.length === 0 && range.first === range.last) {
    const character = String.fromCodePoint(range.first);
    if (character === ".") return "\\.";
    if (PLAIN_CHARACTER.test(character)) return character;
  }
  return `[${set.map(({ first, last }) => `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`).join("")}]`;
}
