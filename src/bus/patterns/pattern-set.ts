import type { TopicMatcher } from "../ports.ts";
import { type Pattern, parsePattern } from "./pattern.ts";
import { type TopicRange, unionOf } from "./topic-range.ts";
import { type TopicShape, unionOfShapes } from "./topic-shape.ts";

/** Looking for about this many texts takes as long as matching. */
const MAX_LITERALS = 8;

/** Matches what any of its patterns matches. Sets of the same patterns have the same key, in whatever order. */
export class PatternSet implements TopicMatcher {
  readonly key: string;
  readonly ranges: readonly TopicRange[];
  readonly isEverything: boolean;
  readonly shapes: readonly TopicShape[];
  readonly isPlain: boolean;
  readonly #patterns: readonly Pattern[];

  constructor(patterns: readonly Pattern[]) {
    this.#patterns = patterns.length < 2 ? patterns : distinct(patterns);
    this.key = JSON.stringify(this.#patterns.map(({ text }) => text).sort());
    this.isEverything = this.#patterns.some(({ matchesEverything }) => matchesEverything);
    this.shapes = unionOfShapes(this.#patterns.flatMap((pattern) => pattern.shapes));
    this.ranges = unionOf(this.shapes);
    this.isPlain = this.#patterns.every((pattern) => pattern.isPlain);
  }

  /** Throws `pattern_invalid`. */
  static parse(texts: readonly string[]): PatternSet {
    return new PatternSet(texts.map(parsePattern));
  }

  /** Not cached. */
  get literals(): readonly string[] | undefined {
    return literalsOf(this.#patterns);
  }

  matches(topic: string): boolean {
    for (const pattern of this.#patterns) if (pattern.matches(topic)) return true;
    return false;
  }
}

/** Undefined if there are too many: then looking for each takes longer than matching. */
function literalsOf(patterns: readonly Pattern[]): readonly string[] | undefined {
  const all = new Set<string>();
  for (const { literals } of patterns) {
    if (literals === undefined || all.size + literals.length > MAX_LITERALS) return undefined;
    for (const literal of literals) all.add(literal);
  }
  return [...all];
}

function distinct(patterns: readonly Pattern[]): Pattern[] {
  return [...new Map(patterns.map((pattern) => [pattern.text, pattern])).values()];
}
