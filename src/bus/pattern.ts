import { type PatternBranch, parsePatternGrammar, patternInvalid } from "./pattern-grammar.ts";
import { type Alternative, expandBraces, regExpOf } from "./pattern-regexp.ts";
import { walkMatches } from "./pattern-walk.ts";
import { type TopicRange, unionOf } from "./topic-range.ts";

/** What a topic must look like. Only {@link parsePattern} makes one, so whoever holds one may trust it. */
export type Pattern = ParsedPattern;

/**
 * Enough for every pattern without braces. A regular expression is compiled when it first runs, which takes about
 * 0.2 ms at this length and grows with it; an engine that may not compile stays under 1 ms a match up to here too.
 */
const MAX_REGEXP_CHARACTERS = 256;

/** Each star is a group of its own, which takes about 7 µs to compile. */
const MAX_REGEXP_STARS = 16;

/**
 * Takes a value from outside as a pattern over whole topics.
 *
 * The syntax is that of Go's `path.Match`: `*` is any run of characters, dots included, so that `*` alone is every
 * topic; `?` is one character, that is one Unicode code point; `[a-z]` is one character of a class and `[^a-z]` one
 * that is not in it; `\` takes away the meaning of the character after it. Added to it are alternatives, `{a,b}`,
 * which may be nested and may be empty.
 *
 * Limits: 256 characters as written; 64 alternatives and 4,096 characters once the braces are expanded.
 *
 * @throws BusError `pattern_invalid` if the value is no string, is empty, is malformed anywhere, holds a lone
 * surrogate, or passes a limit. `position` is the offset of the fault in UTF-16 code units from 0.
 */
export function parsePattern(value: unknown): Pattern {
  if (typeof value !== "string") throw patternInvalid("a pattern must be a string", 0);
  return new ParsedPattern(value, parsePatternGrammar(value));
}

class ParsedPattern {
  /** The pattern as it was written. */
  readonly text: string;
  /** Whether there is no topic that does not match, because the pattern is `*`, or has it for an alternative. */
  readonly matchesEverything: boolean;
  /** The literal prefix of each alternative. */
  readonly ranges: readonly TopicRange[];
  readonly #matches: (topic: string) => boolean;

  constructor(text: string, grammar: PatternBranch) {
    const alternatives = expandBraces(grammar);
    this.text = text;
    this.matchesEverything = alternatives.some(isLoneStar);
    this.ranges = unionOf(alternatives.map(rangeOf));
    this.#matches = matcherOf(grammar, alternatives);
  }

  /** Whether all of `topic` matches. Takes less than a millisecond, for any pattern and any topic. */
  matches(topic: string): boolean {
    return this.#matches(topic);
  }
}

/** What comes before the first part that more than one character, or none, can match. */
function rangeOf(alternative: Alternative): TopicRange {
  let prefix = "";
  for (const part of alternative) {
    const [range, ...others] = part.kind === "character" ? part.set : [];
    if (range === undefined || others.length > 0 || range.first !== range.last) return { prefix, isWhole: false };
    prefix += String.fromCodePoint(range.first);
  }
  return { prefix, isWhole: true };
}

function isLoneStar(alternative: Alternative): boolean {
  return alternative.length > 0 && alternative.every((part) => part.kind === "star");
}

/** Patterns that people write run as regular expressions; those that would take long to compile are walked. */
function matcherOf(grammar: PatternBranch, alternatives: readonly Alternative[]): (topic: string) => boolean {
  const stars = alternatives.flat().filter((part) => part.kind === "star").length;
  if (grammar.characters > MAX_REGEXP_CHARACTERS || stars > MAX_REGEXP_STARS) {
    return (topic) => walkMatches(grammar, topic);
  }
  const regExp = regExpOf(alternatives);
  return (topic) => regExp.test(topic);
}
