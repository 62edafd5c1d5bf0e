import { type Pattern, parsePattern } from "../patterns/pattern.ts";
import { PatternSet } from "../patterns/pattern-set.ts";
import { type TopicRange, unionOf } from "../patterns/topic-range.ts";
import { intersectionOfShapes, type TopicShape } from "../patterns/topic-shape.ts";
import type { TopicMatcher } from "../ports.ts";
import { RecentMap } from "./recent-map.ts";

/** A matcher with an identity: two with the same key match the same topics. */
export interface KeyedMatcher extends TopicMatcher {
  readonly key: string;
  readonly shapes: readonly TopicShape[];
  readonly isPlain: boolean;
}

/** Scopes cached for callers with the same patterns: about 10 MB. */
const MAX_SHARED_SCOPES = 10_000;

/** The topics that a caller may publish to, or read. */
export class Scope implements KeyedMatcher {
  readonly key: string;
  /** As they were written, in the order given. */
  readonly patterns: readonly string[];
  readonly isEverything: boolean;
  readonly isNothing: boolean;
  readonly ranges: readonly TopicRange[];
  readonly shapes: readonly TopicShape[];
  readonly isPlain: boolean;
  readonly #set: PatternSet;

  /** Made by {@link scopeOf}. */
  constructor(patterns: readonly Pattern[]) {
    this.#set = new PatternSet(patterns);
    this.key = this.#set.key;
    this.patterns = patterns.map(({ text }) => text);
    this.isEverything = patterns.some(({ matchesEverything }) => matchesEverything);
    this.isNothing = patterns.length === 0;
    this.ranges = this.#set.ranges;
    this.shapes = this.#set.shapes;
    this.isPlain = this.#set.isPlain;
  }

  /** Not cached. */
  get literals(): readonly string[] | undefined {
    return this.#set.literals;
  }

  matches(topic: string): boolean {
    return this.isEverything || this.#set.matches(topic);
  }
}

/**
 * The scope of these patterns; usually the same object for the same patterns in the same order. Throws
 * `pattern_invalid`.
 */
export function scopeOf(patterns: readonly string[]): Scope {
  const name = JSON.stringify(patterns);
  const known = shared.get(name);
  if (known) return known;
  const scope = new Scope(patterns.map(parsePattern));
  shared.set(name, scope);
  return scope;
}
const shared = new RecentMap<string, Scope>(MAX_SHARED_SCOPES);

/**
 * The intersection of a request and the scope. Everything that a limited reader receives passes through one of these.
 */
export function within(scope: Scope, asked: KeyedMatcher): KeyedMatcher {
  if (scope.isEverything) return asked;
  const shapes = intersectionOfShapes(scope.shapes, asked.shapes);
  return {
    key: `${asked.key} within ${scope.key}`,
    shapes,
    ranges: unionOf(shapes),
    isPlain: scope.isPlain && asked.isPlain,
    get literals() {
      return asked.literals ?? scope.literals;
    },
    matches: (topic) => scope.matches(topic) && asked.matches(topic),
  };
}
