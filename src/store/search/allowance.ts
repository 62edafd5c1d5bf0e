/**
 * How long one search may take, in milliseconds: long enough for a page of 500 events, and a fifth of the promised 10,
 * as one turn of the loop may have one step for a new request, one for an earlier one, and one for a replay.
 */
const STEP_MS = 2;

/** Returns whether a search, or this part of it, must end. */
export type IsSpent = () => boolean;

/**
 * The time that the current search may take. Searches are bounded by time and not only by number, as what they do
 * costs microseconds or a hundred times more, depending on what is in memory.
 *
 * A search does at least one small step, and then ends as soon as `isSpent` is true; its caller continues later. How
 * many of them share a turn of the loop is up to the callers.
 */
export class Allowance {
  readonly #nowMs: () => number;
  #startMs = 0;

  /** `nowMs` returns milliseconds since any moment. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** A search begins. */
  begin(): void {
    this.#startMs = this.#nowMs();
  }

  /** The search must end. */
  readonly isSpent: IsSpent = () => this.#nowMs() - this.#startMs >= STEP_MS;

  /** The first part of a search must end, as half of the time is for the second part. */
  readonly isHalfSpent: IsSpent = () => this.#nowMs() - this.#startMs >= STEP_MS / 2;
}
