/** What replays get beside a busy loop at the least: a thirtieth of the time. */
const LEAST = 1 / 29;
/**
 * At the most: twice as much as everything else. With half of the time, a reader falls back where events are published
 * in large batches, which costs little more than to read them.
 */
const MOST = 2;
/** So much of the share is kept in each interval in which less would have done. */
const FALL = 0.8;
/** The share becomes so many times as large in each interval in which it was too small. */
const RISE = 2;
/** A replay is to be over in about this time: its lag should fall by this part of it, in milliseconds. */
const AIM_MS = 2000;
/** How often the share is set, in milliseconds: long enough for many pages, short beside what people notice. */
const INTERVAL_MS = 100;
/**
 * Time that was not used is kept up to this, in milliseconds. A slice is thus never much longer than what others took in
 * the turns before it, which may be as long as a large batch takes, and replays get their share beside those too.
 */
const MAX_SAVED_MS = 100;

/**
 * How much of the time the replays of one distance get, as a ratio to everything else.
 *
 * Little, as long as their lag falls with it, or they do not use it up: what waits for slow readers needs no time. More,
 * when there is always somebody who waits for the next page, and the hindmost does not come closer to the newest event
 * fast enough. Clocks are arguments, in milliseconds.
 */
export class Share {
  #ratio = LEAST;
  #savedMs = 0;
  #setAtMs = 0;
  #lag: number | undefined;
  /** Nobody waited at some time of the interval. */
  #wasIdle = false;

  /** The part of all time, from 0 to 1. */
  get part(): number {
    return this.#ratio / (1 + this.#ratio);
  }

  /** Everything else took this time. */
  pass(othersMs: number): void {
    this.#savedMs = Math.min(MAX_SAVED_MS, this.#savedMs + othersMs * this.#ratio);
  }

  /** How long may be replayed now; undefined: not yet. */
  get budgetMs(): number | undefined {
    return this.#savedMs < 0 ? undefined : this.#savedMs;
  }

  /** So much was used. */
  spend(tookMs: number): void {
    this.#savedMs -= tookMs;
  }

  /** The loop has nothing else to do: what was used is not held against it. */
  forgive(): void {
    this.#savedMs = Math.max(0, this.#savedMs);
  }

  /** Nobody waits for a page. */
  rest(): void {
    this.#savedMs = Math.min(0, this.#savedMs);
    this.#wasIdle = true;
  }

  /** Sets the share when it is time to; `lag` is that of the hindmost who waits, in events. */
  set(nowMs: number, lag: () => number | undefined): void {
    const elapsedMs = nowMs - this.#setAtMs;
    if (elapsedMs < INTERVAL_MS) return;
    this.#setAtMs = nowMs;
    const before = this.#lag;
    this.#lag = this.#wasIdle ? undefined : lag();
    const isEnough = this.#lag === undefined || (before !== undefined && this.#falls(before, this.#lag, elapsedMs));
    this.#wasIdle = false;
    this.#ratio = isEnough
      ? Math.max(LEAST, this.#ratio * FALL ** (elapsedMs / INTERVAL_MS))
      : Math.min(MOST, this.#ratio * RISE);
  }

  #falls(before: number, now: number, elapsedMs: number): boolean {
    return before - now >= (before * elapsedMs) / AIM_MS;
  }
}
