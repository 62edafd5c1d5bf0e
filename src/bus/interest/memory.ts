/** What one topic adds to a memory, in results: its text, and the space that a map needs for it. */
const TOPIC_ANSWERS = 16;

/** Bounds the total size of many caches: when the bound is exceeded, all of them are cleared. */
export class Memory {
  readonly #maxAnswers: number;
  readonly #places = new Set<{ clear(): void }>();
  #answers = 0;

  /** `maxAnswers`: about 8 bytes each. */
  constructor(maxAnswers: number) {
    this.#maxAnswers = maxAnswers;
  }

  /** Counts a topic that is about to be cached in a place. */
  countTopic(place: { clear(): void }): void {
    this.count(TOPIC_ANSWERS);
    this.#places.add(place);
  }

  /** Counts results that are about to be added to a topic. What a place drops by itself still counts. */
  count(answers: number): void {
    this.#answers += answers;
    if (this.#answers <= this.#maxAnswers) return;
    for (const place of this.#places) place.clear();
    this.#places.clear();
    this.#answers = answers;
  }
}
