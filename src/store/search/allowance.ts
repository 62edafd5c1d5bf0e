/**
 * How long one search may take, in milliseconds: about as long as a page of 500 events that need no search, and a tenth
 * of the promised 10. One turn of the loop may have one step for a new request, one for an earlier one, some for near and
 * far replays, a commit, and a garbage collection of several milliseconds.
 */
const STEP_MS = 1;

/** Returns whether a search, or this part of it, must end. */
export type IsSpent = () => boolean;

/**
 * The time that the current search may take. Searches are bounded by time and not only by number, as each step costs
 * microseconds or a hundred times more, depending on what is in memory.
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

  /** The search for series must end, as half of the time is for their events. */
  readonly isHalfSpent: IsSpent = () => this.#nowMs() - this.#startMs >= STEP_MS / 2;

  /** The search for events must end: what is not loaded in the rest of the time would have to be found again. */
  readonly isMostlySpent: IsSpent = () => this.#nowMs() - this.#startMs >= (STEP_MS * 3) / 4;
}
