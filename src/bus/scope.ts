import { type Pattern, parsePattern } from "./pattern.ts";
import { PatternSet } from "./pattern-set.ts";
import type { TopicMatcher } from "./ports.ts";
import { type TopicRange, unionOf } from "./topic-range.ts";
import { intersectionOfShapes, type TopicShape } from "./topic-shape.ts";

/** A matcher that can be told from others: two with the same key want the same topics. */
export interface KeyedMatcher extends TopicMatcher {
  readonly key: string;
  readonly shapes: readonly TopicShape[];
  readonly isPlain: boolean;
}

/** Answers that all scopes together remember, some 40 MB; beyond it all memories start anew. */
const MAX_REMEMBERED = 2 ** 19;
/** Scopes that are shared by those who have the same patterns; beyond it the memory starts anew. */
const MAX_SHARED_SCOPES = 10_000;

const memories = new Set<Map<string, boolean>>();
let remembered = 0;

function forgetAll(): void {
  for (const memory of memories) memory.clear();
  memories.clear();
  remembered = 0;
}

/** The topics that somebody may publish to, or see. */
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
  readonly #known = new Map<string, boolean>();

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

  matches(topic: string): boolean {
    if (this.isEverything) return true;
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    const matches = this.#set.matches(topic);
    this.#remember(topic, matches);
    return matches;
  }

  #remember(topic: string, matches: boolean): void {
    if (remembered >= MAX_REMEMBERED) forgetAll();
    if (this.#known.size === 0) memories.add(this.#known);
    this.#known.set(topic, matches);
    remembered++;
  }
}

/** The scope of these patterns, the same object for the same patterns in the same order. Throws `pattern_invalid`. */
export function scopeOf(patterns: readonly string[]): Scope {
  const name = JSON.stringify(patterns);
  const known = shared.get(name);
  if (known) return known;
  const scope = new Scope(patterns.map(parsePattern));
  if (shared.size >= MAX_SHARED_SCOPES) shared.clear();
  shared.set(name, scope);
  return scope;
}
const shared = new Map<string, Scope>();

/** What is asked for, as far as the scope allows it. All that a limited reader is told of comes through one of these. */
export function within(scope: Scope, asked: KeyedMatcher): KeyedMatcher {
  if (scope.isEverything) return asked;
  const shapes = intersectionOfShapes(scope.shapes, asked.shapes);
  return {
    key: `${asked.key} within ${scope.key}`,
    shapes,
    ranges: unionOf(shapes),
    isPlain: scope.isPlain && asked.isPlain,
    matches: (topic) => scope.matches(topic) && asked.matches(topic),
  };
}
