import type { TopicSummary } from "../../client/index.ts";

/** Answers that the curve shows: two minutes. */
export const RATE_SLOTS = 60;
/** Topics whose rates are remembered while they are out of view: five pages. */
const MAX_REMEMBERED = 5000;

export interface WatchedTopic extends TopicSummary {
  /** Events a second between successive answers, oldest first. */
  readonly rates: readonly number[];
}

/** What an answer said of a topic. */
interface Seen {
  readonly count: number;
  readonly atMs: number;
  /** Which answer it was. */
  readonly answer: number;
  readonly rates: readonly number[];
}

/** Makes rates out of the counts of successive answers, also of topics that were out of view for a while. */
export class TopicRates {
  /** The topics seen last stand at the end. */
  readonly #seen = new Map<string, Seen>();
  #answers = 0;
  #lastMs = 0;

  /**
   * The topics of an answer with their rates. A topic that was not seen before counts from 0 on if `isUnknownNew`, and
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
   * While a topic was out of view its rate was, on average, what its count says now. A count that went down says nothing
   * of the rate: retention removed more than was published.
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
