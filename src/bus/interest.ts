import type { Event } from "./event.ts";
import type { TopicMatcher } from "./ports.ts";

/** Topics whose interests are remembered at a time; beyond it the memory starts anew. */
const MAX_REMEMBERED_TOPICS = 10_000;

/** Is handed every event that the interest matches, in id order, and must return at once. */
export interface Listener {
  deliver(event: Event): void;
  /** The batch has been delivered to everybody. */
  endBatch?(): void;
}

/** One distinct wish for events, which any number of subscribers may share. */
export interface Interest extends Listener {
  readonly topics: TopicMatcher;
}

/**
 * Who wants which topic.
 *
 * A pattern is matched once for each distinct topic, not for each event: the answer is remembered, and mended when an
 * interest comes or goes.
 */
export class InterestTable {
  readonly #interests = new Set<Interest>();
  readonly #byTopic = new Map<string, Set<Interest>>();

  add(interest: Interest): void {
    this.#interests.add(interest);
    for (const [topic, wanting] of this.#byTopic) {
      if (interest.topics.matches(topic)) wanting.add(interest);
    }
  }

  remove(interest: Interest): void {
    this.#interests.delete(interest);
    for (const wanting of this.#byTopic.values()) wanting.delete(interest);
  }

  /** Hands each event to each interest that matches it, then ends the batch for those that were handed any. */
  deliver(batch: readonly Event[]): void {
    const touched = new Set<Interest>();
    for (const event of batch) {
      for (const interest of this.#wanting(event.topic)) {
        touched.add(interest);
        interest.deliver(event);
      }
    }
    for (const interest of touched) interest.endBatch?.();
  }

  #wanting(topic: string): ReadonlySet<Interest> {
    const known = this.#byTopic.get(topic);
    if (known) return known;
    const wanting = new Set<Interest>();
    for (const interest of this.#interests) {
      if (interest.topics.matches(topic)) wanting.add(interest);
    }
    if (this.#byTopic.size >= MAX_REMEMBERED_TOPICS) this.#byTopic.clear();
    this.#byTopic.set(topic, wanting);
    return wanting;
  }
}
