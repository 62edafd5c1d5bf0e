import { type Pattern, parsePattern } from "./pattern.ts";
import type { TopicMatcher } from "./ports.ts";
import { type TopicRange, unionOf } from "./topic-range.ts";

/** Any of some patterns. Two sets of the same patterns have the same key, in whatever order they were named. */
export class PatternSet implements TopicMatcher {
  readonly key: string;
  readonly ranges: readonly TopicRange[];
  readonly #patterns: readonly Pattern[];

  constructor(patterns: readonly Pattern[]) {
    const byText = new Map(patterns.map((pattern) => [pattern.text, pattern]));
    const texts = [...byText.keys()].sort();
    this.key = JSON.stringify(texts);
    this.#patterns = [...byText.values()];
    this.ranges = unionOf(this.#patterns.flatMap((pattern) => pattern.ranges));
  }

  /** Throws `pattern_invalid`. */
  static parse(texts: readonly string[]): PatternSet {
    return new PatternSet(texts.map(parsePattern));
  }

  matches(topic: string): boolean {
    for (const pattern of this.#patterns) if (pattern.matches(topic)) return true;
    return false;
  }
}
