import { checkPatternText, parsePatternGrammar, patternInvalid } from "./pattern-grammar.ts";
import { type Alternative, expandBraces, regExpOf } from "./pattern-regexp.ts";
import { walkMatches } from "./pattern-walk.ts";
import { isLoneStar, matchesPlain, type PlainPattern, plainPatternOf } from "./plain-pattern.ts";
import { type TopicRange, unionOf } from "./topic-range.ts";
import { isLike, type TopicShape } from "./topic-shape.ts";

/** A condition on topics. Only {@link parsePattern} creates one, so it is always valid. */
export type Pattern = ParsedPattern;

/**
 * Enough for every pattern without braces. A regular expression is compiled when it first runs, which takes about
 * 0.2 ms at this length and grows with it; an engine that may not compile stays under 1 ms a match up to here too.
 */
const MAX_REGEXP_CHARACTERS = 256;

/** Each star is a group of its own, which takes about 7 µs to compile. */
const MAX_REGEXP_STARS = 16;

/** A text without special characters other than stars. */
const PLAIN_TEXT = /^[^?[{}\\]+$/;

const STARS = /\*+/;

/**
 * Parses an untrusted value as a pattern over whole topics.
 *
 * The syntax is that of Go's `path.Match`: `*` matches any run of characters, including dots, so `*` alone matches
 * every topic; `?` matches one Unicode code point; `[a-z]` one character of a class, and `[^a-z]` one that is not in
 * it; `\` makes the next character literal. In addition there are alternatives, `{a,b}`, which may be nested and may be
 * empty.
 *
 * Limits: 256 characters as written; 64 alternatives and 4,096 characters once the braces are expanded.
 *
 * @throws BusError `pattern_invalid` if the value is not a string, is empty, is malformed anywhere, contains a lone
 * surrogate, or exceeds a limit. `position` is the offset of the error in UTF-16 code units from 0.
 */
export function parsePattern(value: unknown): Pattern {
  if (typeof value !== "string") throw patternInvalid("a pattern must be a string", 0);
  return new ParsedPattern(value, PLAIN_TEXT.test(value) ? [readPlain(value)] : readAlternatives(value));
}

class ParsedPattern {
  /** The pattern as it was written. */
  readonly text: string;
  /** Whether every topic matches, because the pattern is `*` or has it as an alternative. */
  readonly matchesEverything: boolean;
  /** The prefix and suffix of each alternative. */
  readonly shapes: readonly TopicShape[];
  /** Its alternatives, if each consists only of text and stars. */
  readonly #plain: readonly PlainPattern[] | undefined;
  /** The `literals`, empty if there are none; made when they are first needed. */
  #texts: readonly string[] | undefined;
  #matcher: ((topic: string) => boolean) | undefined;

  constructor(text: string, alternatives: readonly (PlainPattern | TopicShape)[]) {
    const plain = alternatives.filter((one) => "middles" in one);
    this.text = text;
    this.matchesEverything = plain.some(isLoneStar);
    this.shapes = alternatives;
    this.#plain = plain.length === alternatives.length ? plain : undefined;
  }

  /** Whether matching only compares text: nothing is compiled, and it takes well under 10 µs. */
  get isPlain(): boolean {
    return this.#plain !== undefined;
  }

  /** For each alternative, the longest text that every match contains; undefined if one has none. Not cached. */
  get literals(): readonly string[] | undefined {
    const literals = this.#plain ? this.#plain.map(textsOf).map(longest) : literalsOf(this.text);
    return literals.includes("") ? undefined : literals;
  }

  /** The literal prefix of each alternative. */
  get ranges(): readonly TopicRange[] {
    return unionOf(this.shapes);
  }

  /** Whether all of `topic` matches. Takes less than a millisecond, for any pattern and any topic. */
  matches(topic: string): boolean {
    if (this.#plain) return this.#plain.some((alternative) => matchesPlain(alternative, topic));
    if (!this.#hasText(topic) || !this.shapes.some((shape) => isLike(shape, topic))) return false;
    // Most patterns never get here, so this is created on demand.
    this.#matcher ??= matcherOf(this.text);
    return this.#matcher(topic);
  }

  /** A tenth of the time of matching. Most patterns with a text in their middle are thus never compiled. */
  #hasText(topic: string): boolean {
    this.#texts ??= this.literals ?? [];
    for (const text of this.#texts) if (topic.includes(text)) return true;
    return this.#texts.length === 0;
  }
}

function textsOf({ prefix, middles, suffix }: PlainPattern): string[] {
  return [prefix, ...middles, suffix];
}

function literalsOf(text: string): string[] {
  const alternatives = expandBraces(parsePatternGrammar(text));
  return alternatives.map((alternative) => longest(dividedAtGaps(alternative.map(certainCharacter))));
}

/** The last one if several are equally long, as many topics begin alike. */
function longest(texts: readonly string[]): string {
  return texts.reduce((longest, text) => (text.length >= longest.length ? text : longest), "");
}

/** What the grammar would return, for a text without special characters other than stars, as in most patterns. */
function readPlain(text: string): PlainPattern {
  checkPatternText(text);
  return plainPatternOf(text.split(STARS));
}

function readAlternatives(text: string): (PlainPattern | TopicShape)[] {
  return expandBraces(parsePatternGrammar(text)).map((alternative) => {
    const characters = alternative.map(certainCharacter);
    const isPlain = characters.every((character, at) => character !== undefined || alternative[at]?.kind === "star");
    return isPlain ? plainPatternOf(dividedAtGaps(characters)) : shapeOf(characters);
  });
}

/** The text before the first position, and after the last one, that is not one certain character. */
function shapeOf(characters: readonly (string | undefined)[]): TopicShape {
  const start = characters.indexOf(undefined);
  const end = characters.lastIndexOf(undefined) + 1;
  const prefix = characters.slice(0, start).join("");
  return { prefix, suffix: characters.slice(end).join(""), isWhole: false, isExact: false };
}

/** The texts between the positions that are not one certain character. */
function dividedAtGaps(characters: readonly (string | undefined)[]): string[] {
  const texts = [""];
  for (const character of characters) {
    if (character === undefined) texts.push("");
    else texts.push(`${texts.pop()}${character}`);
  }
  return texts;
}

/** The one character that the part matches, if it is only one. */
function certainCharacter(part: Alternative[number]): string | undefined {
  const [range, ...others] = part.kind === "character" ? part.set : [];
  if (range === undefined || others.length > 0 || range.first !== range.last) return undefined;
  return String.fromCodePoint(range.first);
}

/** Ordinary patterns run as regular expressions; those that would take long to compile are walked. */
function matcherOf(text: string): (topic: string) => boolean {
  const grammar = parsePatternGrammar(text);
  const alternatives = expandBraces(grammar);
  const stars = alternatives.flat().filter((part) => part.kind === "star").length;
  if (grammar.characters > MAX_REGEXP_CHARACTERS || stars > MAX_REGEXP_STARS) {
    return (topic) => walkMatches(grammar, topic);
  }
  const regExp = regExpOf(alternatives);
  return (topic) => regExp.test(topic);
}
