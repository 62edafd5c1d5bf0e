import type { Memory } from "./memory.ts";
import type { TopicMatcher } from "./ports.ts";

/** As many plain candidates are asked sooner than an answer that is remembered is found. */
const MAX_ASKED = 16;

/** What may want a topic, and stays in its bucket for a while after it is gone. */
export interface Candidate {
  readonly topics: TopicMatcher;
  isGone: boolean;
}

/** Which candidates match a topic, among those that had come before it was last asked about. */
interface Answer<T> {
  examined: number;
  readonly matching: T[];
}

/**
 * Candidates that the ends of their patterns do not tell apart, so that each must be asked.
 *
 * Answers are remembered by topic where asking is more than comparing text, or many would be asked. They never have to
 * be mended: one that comes is examined when its topic is asked about next, and one that is gone is passed over.
 */
export class InterestBucket<T extends Candidate> {
  readonly #memory: Memory;
  /** In the order in which they came. */
  #candidates: T[] = [];
  #goneCount = 0;
  /** Those that are there and not plain. */
  #costlyCount = 0;
  /** Made when the first one is needed: most buckets never remember any. */
  #answers: Map<string, Answer<T>> | undefined;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#candidates.length === 0;
  }

  add(candidate: T): void {
    this.#candidates.push(candidate);
    if (!candidate.topics.isPlain) this.#costlyCount++;
  }

  /** To be called when a candidate is gone. Takes out what is gone when that is the greater part. */
  lose({ topics }: T): void {
    this.#goneCount++;
    if (!topics.isPlain) this.#costlyCount--;
    if (2 * this.#goneCount <= this.#candidates.length) return;
    this.#candidates = this.#candidates.filter(({ isGone }) => !isGone);
    this.#goneCount = 0;
    this.#answers = undefined;
  }

  /** Adds to `found` every candidate that matches. */
  addMatching(topic: string, found: T[]): void {
    if (this.#costlyCount > 0 || this.#candidates.length > MAX_ASKED) {
      for (const candidate of this.#remembered(topic)) if (!candidate.isGone) found.push(candidate);
      return;
    }
    for (const candidate of this.#candidates) {
      if (!candidate.isGone && candidate.topics.matches(topic)) found.push(candidate);
    }
  }

  #remembered(topic: string): readonly T[] {
    const answer = this.#answerFor(topic);
    if (answer.examined === this.#candidates.length) return answer.matching;
    const matching = this.#candidates
      .slice(answer.examined)
      .filter(({ isGone, topics }) => !isGone && topics.matches(topic));
    this.#memory.count(matching.length);
    for (const candidate of matching) answer.matching.push(candidate);
    answer.examined = this.#candidates.length;
    return answer.matching;
  }

  #answerFor(topic: string): Answer<T> {
    this.#answers ??= new Map();
    const known = this.#answers.get(topic);
    if (known) return known;
    this.#memory.countTopic(this.#answers);
    const answer = { examined: 0, matching: [] };
    this.#answers.set(topic, answer);
    return answer;
  }
}
