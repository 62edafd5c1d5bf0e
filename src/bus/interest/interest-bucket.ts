import type { TopicMatcher } from "../ports.ts";
import type { Memory } from "./memory.ts";

/** Matching this many plain candidates is faster than finding a cached result. */
const MAX_ASKED = 16;

/** An interest that may match a topic. It stays in its bucket for a while after it is gone. */
export interface Candidate {
  readonly topics: TopicMatcher;
  isGone: boolean;
}

/** Which candidates match a topic, of those that were there at its last look-up. */
interface Answer<T> {
  examined: number;
  readonly matching: T[];
}

/** The candidates with the same prefix and suffix in their patterns. */
export class InterestBucket<T extends Candidate> {
  readonly #memory: Memory;
  /** Candidates that match every topic with these ends. */
  readonly #certain = new CandidateList<T>();
  #asked: AskedCandidates<T> | undefined;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#certain.all.length === 0 && this.#asked === undefined;
  }

  /** `isCertain`: it matches every topic with these ends, and need not be evaluated. */
  add(candidate: T, isCertain: boolean): void {
    if (isCertain) {
      this.#certain.all.push(candidate);
      return;
    }
    this.#asked ??= new AskedCandidates(this.#memory);
    this.#asked.add(candidate);
  }

  /** Removes a candidate, with the same arguments as when it was added. */
  lose(candidate: T, isCertain: boolean): void {
    if (isCertain) this.#certain.lose();
    else this.#asked?.lose(candidate);
    if (this.#asked?.isEmpty) this.#asked = undefined;
  }

  /** Adds to `found` every candidate that matches. */
  addMatching(topic: string, found: T[]): void {
    for (const candidate of this.#certain.all) if (!candidate.isGone) found.push(candidate);
    this.#asked?.addMatching(topic, found);
  }
}

/** In the order in which they were added. Removed candidates stay until they are the majority. */
class CandidateList<T extends Candidate> {
  all: T[] = [];
  #goneCount = 0;

  /** Notes that one of them is gone; returns true if the indexes of the others have changed. */
  lose(): boolean {
    this.#goneCount++;
    if (2 * this.#goneCount <= this.all.length) return false;
    this.all = this.all.filter(({ isGone }) => !isGone);
    this.#goneCount = 0;
    return true;
  }
}

/**
 * Candidates that are matched against each topic with these ends.
 *
 * Results are cached by topic if matching does more than compare text, or if there are many candidates. They never need
 * correction: a new candidate is examined when its topic is next looked up, and a removed one is skipped.
 */
class AskedCandidates<T extends Candidate> {
  readonly #memory: Memory;
  readonly #list = new CandidateList<T>();
  /** Current candidates that are not plain. */
  #costlyCount = 0;
  #answers = new Map<string, Answer<T>>();

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#list.all.length === 0;
  }

  add(candidate: T): void {
    this.#list.all.push(candidate);
    if (!candidate.topics.isPlain) this.#costlyCount++;
  }

  lose({ topics }: T): void {
    if (!topics.isPlain) this.#costlyCount--;
    if (this.#list.lose()) this.#answers = new Map();
  }

  addMatching(topic: string, found: T[]): void {
    if (this.#costlyCount > 0 || this.#list.all.length > MAX_ASKED) {
      for (const candidate of this.#remembered(topic)) if (!candidate.isGone) found.push(candidate);
      return;
    }
    for (const candidate of this.#list.all) {
      if (!candidate.isGone && candidate.topics.matches(topic)) found.push(candidate);
    }
  }

  #remembered(topic: string): readonly T[] {
    const answer = this.#answerFor(topic);
    const { all } = this.#list;
    if (answer.examined === all.length) return answer.matching;
    const matching = all.slice(answer.examined).filter(({ isGone, topics }) => !isGone && topics.matches(topic));
    this.#memory.count(matching.length);
    for (const candidate of matching) answer.matching.push(candidate);
    answer.examined = all.length;
    return answer.matching;
  }

  #answerFor(topic: string): Answer<T> {
    const known = this.#answers.get(topic);
    if (known) return known;
    this.#memory.countTopic(this.#answers);
    const answer = { examined: 0, matching: [] };
    this.#answers.set(topic, answer);
    return answer;
  }
}
