/** Responses that the curve shows: two minutes. */
export const RATE_SLOTS = 60;
/** Things that are not visible and keep their rates: five pages of topics. */
const MAX_REMEMBERED = 5000;

export type Rated<T> = T & {
  /** How much was counted per second between successive responses, oldest first. */
  readonly rates: readonly number[];
};

/** What one response counted for a thing. */
interface Seen {
  readonly count: number;
  readonly atMs: number;
  /** The number of the response. */
  readonly answer: number;
  readonly rates: readonly number[];
}

/** Computes rates from the counts of successive responses, also for things that were not visible for a while. */
export class Rates<T> {
  readonly #read: (one: T) => readonly [name: string, count: number];
  /** Those seen last are at the end. */
  readonly #seen = new Map<string, Seen>();
  #answers = 0;
  #lastMs = 0;

  constructor(read: (one: T) => readonly [name: string, count: number]) {
    this.#read = read;
  }

  /**
   * What a response contains, with its rates. What was not seen before counts from 0 if `isUnknownNew`, and has no rate
   * yet otherwise.
   */
  take(found: readonly T[], nowMs: number, isUnknownNew: boolean): Rated<T>[] {
    this.#answers++;
    const unknown = { count: 0, atMs: this.#lastMs, answer: this.#answers - 1, rates: [] };
    const rated = found.map((one) => {
      const [name, count] = this.#read(one);
      const before = this.#seen.get(name) ?? (isUnknownNew ? unknown : undefined);
      const rates = before === undefined ? [] : this.#ratesAfter(before, count, nowMs);
      this.#seen.delete(name);
      this.#seen.set(name, { count, atMs: nowMs, answer: this.#answers, rates });
      return { ...one, rates };
    });
    this.#lastMs = nowMs;
    this.#forget();
    return rated;
  }

  /**
   * The rate of a thing while it was not visible is the mean that its count now implies. A count that has fallen implies
   * no rate: retention removed more than was published, or the server has restarted.
   */
  #ratesAfter(before: Seen, count: number, nowMs: number): number[] {
    const rate = Math.max(0, count - before.count) / ((nowMs - before.atMs) / 1000);
    const slots = Math.min(this.#answers - before.answer, RATE_SLOTS);
    return [...before.rates, ...Array<number>(slots).fill(rate)].slice(-RATE_SLOTS);
  }

  #forget(): void {
    for (const name of this.#seen.keys()) {
      if (this.#seen.size <= MAX_REMEMBERED) return;
      this.#seen.delete(name);
    }
  }
}
