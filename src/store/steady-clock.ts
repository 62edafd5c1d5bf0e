/** A difference up to which the clock is only adjusted, in milliseconds: what time servers correct step by step. */
const STEP_MS = 5000;
/** How long the clock must be ahead before it is believed, in milliseconds: time to notice the line in the log. */
const TRUST_MS = 60 * 60 * 1000;

export interface SteadyClockOptions {
  /** Called when the clock was set, with the milliseconds by which it was set forward; negative: back. */
  readonly onStep: (byMs: number) => void;
  /** Milliseconds since 1970; default the system's clock. */
  readonly clock?: () => number;
  /** Milliseconds that have passed, from any beginning; default `performance.now`. */
  readonly passed?: () => number;
}

/**
 * The time by which ages are measured, in milliseconds since 1970. If the clock is set forward, it follows an hour
 * later, so that a clock that is wrong for a while removes nothing. If the clock is set back, it follows at once. So
 * what expires by age expires late rather than early.
 */
export class SteadyClock {
  readonly #clock: () => number;
  readonly #passed: () => number;
  readonly #onStep: (byMs: number) => void;
  #steadyMs: number;
  #passedMs: number;
  /** By how much the clock is ahead, and when that was noticed. */
  #ahead: { readonly byMs: number; readonly sinceMs: number } | undefined;

  constructor({ onStep, clock = Date.now, passed = () => performance.now() }: SteadyClockOptions) {
    this.#onStep = onStep;
    this.#clock = clock;
    this.#passed = passed;
    this.#steadyMs = clock();
    this.#passedMs = passed();
  }

  /** MUST be read now and then, as a step is noticed only here. */
  readonly read = (): number => {
    const passedMs = this.#passed();
    this.#steadyMs += passedMs - this.#passedMs;
    this.#passedMs = passedMs;
    const byMs = this.#clock() - this.#steadyMs;
    const known = this.#ahead?.byMs ?? 0;
    if (Math.abs(byMs - known) > STEP_MS) this.#stepped(byMs, byMs - known);
    if (this.#ahead === undefined || passedMs - this.#ahead.sinceMs >= TRUST_MS) this.#follow(byMs);
    return this.#steadyMs;
  };

  #stepped(byMs: number, stepMs: number): void {
    this.#ahead = byMs > STEP_MS ? { byMs, sinceMs: this.#passedMs } : undefined;
    this.#onStep(Math.round(stepMs));
  }

  #follow(byMs: number): void {
    this.#steadyMs += byMs;
    this.#ahead = undefined;
  }
}
