/**
 * How long one search may take, in milliseconds: long enough for a page of 500 events, a fifth of the promised 10, as
 * one turn of the loop may have a step for a request and two for replays.
 */
const STEP_MS = 2;
/** How long all searches of one turn of the loop may take, in milliseconds, but for the least of each. */
const TURN_MS = 4;
/** What a search gets in a turn that has none left: otherwise callers that yield rarely would get nothing. */
const LEAST_MS = 0.25;

/** Returns whether a search, or this part of it, must end. */
export type IsSpent = () => boolean;

export interface AllowanceOptions {
  /** Returns milliseconds since any moment; default `performance.now`. */
  readonly nowMs?: (() => number) | undefined;
  /** Calls back in the next turn of the loop; default `setImmediate`. */
  readonly later?: (callback: () => void) => void;
}

/**
 * The time that the current search may take. Searches are bounded by time and not only by number, as what they do
 * costs microseconds or a hundred times more, depending on what is in memory. All searches in one turn of the loop
 * share a bound, so that many of them hold the loop hardly longer than one.
 *
 * A search does at least one small step, and then ends as soon as `isSpent` is true; its caller continues later.
 */
export class Allowance {
  readonly #nowMs: () => number;
  readonly #later: (callback: () => void) => void;
  #isInTurn = false;
  #turnEndMs = 0;
  #startMs = 0;
  #endMs = 0;

  constructor({ nowMs = () => performance.now(), later = setImmediate }: AllowanceOptions = {}) {
    this.#nowMs = nowMs;
    this.#later = later;
  }

  /** A search begins. */
  begin(): void {
    this.#startMs = this.#nowMs();
    if (!this.#isInTurn) this.#beginTurn();
    this.#endMs = Math.min(this.#startMs + STEP_MS, Math.max(this.#turnEndMs, this.#startMs + LEAST_MS));
  }

  /** The search must end. */
  readonly isSpent: IsSpent = () => this.#nowMs() >= this.#endMs;

  /** The first part of a search must end, as half of the time is for the second part. */
  readonly isHalfSpent: IsSpent = () => this.#nowMs() - this.#startMs >= (this.#endMs - this.#startMs) / 2;

  #beginTurn(): void {
    this.#isInTurn = true;
    this.#turnEndMs = this.#startMs + TURN_MS;
    this.#later(() => {
      this.#isInTurn = false;
    });
  }
}
