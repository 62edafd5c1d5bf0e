import type { TopicSummary } from "../../client/index.ts";

/** Responses that the curve shows: two minutes. */
export const RATE_SLOTS = 60;
/** Topics that are not visible and keep their rates: five pages. */
const MAX_REMEMBERED = 5000;

export interface WatchedTopic extends TopicSummary {
  /** Events per second between successive responses, oldest first. */
  readonly rates: readonly number[];
}

/** The figures of a topic in one response. */
interface Seen {
  readonly count: number;
  readonly atMs: number;
  /** The number of the response. */
  readonly answer: number;
  readonly rates: readonly number[];
}

/** Computes rates from the counts of successive responses, also for topics that were not visible for a while. */
export class TopicRates {
  /** The topics seen last are at the end. */
  readonly #seen = new Map<string, Seen>();
  #answers = 0;
  #lastMs = 0;

  /**
   * The topics of a response with their rates. A topic that was not seen before counts from 0 if `isUnknownNew`, and
   * has no rate yet otherwise.
   */
  take(found: readonly TopicSummary[], nowMs: number, isUnknownNew: boolean): WatchedTopic[] {
    this.#answers++;
    const unknown = { count: 0, atMs: this.#lastMs, answer: this.#answers - 1, rates: [] };
    const topics = found.map((summary) => {
      const before = this.#seen.get(summary.topic) ?? (isUnknownNew ? unknown : undefined);
      const rates = before === undefined ? [] : this.#ratesAfter(before, summary.count, nowMs);
      this.#seen.delete(summary.topic);
      this.#seen.set(summary.topic, { count: summary.count, atMs: nowMs, answer: this.#answers, rates });
      return { ...summary, rates };
    });
    this.#lastMs = nowMs;
    this.#forget();
    return topics;
  }

  /**
   * The rate of a topic while it was not visible is the mean that its count now implies. A count that has fallen implies
   * no rate: retention removed more than was published.
   */
  #ratesAfter(before: Seen, count: number, nowMs: number): number[] {
    const rate = Math.max(0, count - before.count) / ((nowMs - before.atMs) / 1000);
    const slots = Math.min(this.#answers - before.answer, RATE_SLOTS);
    return [...before.rates, ...Array<number>(slots).fill(rate)].slice(-RATE_SLOTS);
  }

  #forget(): void {
    for (const topic of this.#seen.keys()) {
      if (this.#seen.size <= MAX_REMEMBERED) return;
      this.#seen.delete(topic);
    }
  }
}
