import { DISTANCES, type Distance } from "./replays.ts";

/** Minimum: beside a busy loop, replays get a thirtieth of the time. */
const LEAST = 1 / 29;
/**
 * Maximum: twice as much time as everything else. With half of the time, a reader falls behind when events are
 * published in large batches, as publishing those costs little more than reading them.
 */
const MOST = 2;
/** The share is multiplied by this in each interval in which less would have been enough. */
const FALL = 0.8;
/** The share is multiplied by this in each interval in which it was too small. */
const RISE = 4;
/**
 * Target duration of a replay, in milliseconds: in each interval the lag must fall by the fraction of it that has
 * elapsed, or the share is too small.
 */
const AIM_MS = 2000;
/** How often the share is set, in milliseconds: long enough for many pages, short compared to what people notice. */
const INTERVAL_MS = 100;
/**
 * Unused time is saved up to this, in milliseconds: about what a large batch takes, so that replays get their share
 * beside large batches too. A slice is never much longer than what everything else took in the turns before it.
 */
const MAX_SAVED_MS = 100;

/**
 * Events between the newest and the subscriber furthest behind that is waiting for a page, at each distance; undefined:
 * none is waiting there.
 */
export type Lags = Readonly<Record<Distance, number | undefined>>;

/**
 * How much of the time replays get, as a ratio to everything else; `Credit` says how it is divided.
 *
 * The share falls while the lag falls fast enough, or while replays do not use it up: subscribers that read slowly need
 * no time. It rises while some subscriber is always waiting for its next page and the one furthest behind does not
 * approach the newest event fast enough. It is the same for both distances, as a subscriber that catches up is first
 * far and then near: with two shares, it would fall back whenever it passed from the one to the other. Clocks are
 * arguments.
 */
export class Share {
  #ratio = LEAST;
  #setAtMs = 0;
  #lags: Lags | undefined;
  /** At some time in the interval no subscriber was waiting for a page. */
  #wasIdle = false;

  /** Time for replays for each millisecond that everything else takes. */
  get ratio(): number {
    return this.#ratio;
  }

  /** The part of all time, from 0 to 1. */
  get part(): number {
    return this.#ratio / (1 + this.#ratio);
  }

  /** No subscriber is waiting for a page. */
  rest(): void {
    this.#wasIdle = true;
  }

  /** Sets the share again if an interval has passed. */
  set(nowMs: number, lags: () => Lags): void {
    const elapsedMs = nowMs - this.#setAtMs;
    if (elapsedMs < INTERVAL_MS) return;
    this.#setAtMs = nowMs;
    const before = this.#lags;
    this.#lags = this.#wasIdle ? undefined : lags();
    const isEnough = this.#lags === undefined || (before !== undefined && doesFall(before, this.#lags, elapsedMs));
    this.#wasIdle = false;
    this.#ratio = isEnough
      ? Math.max(LEAST, this.#ratio * FALL ** (elapsedMs / INTERVAL_MS))
      : Math.min(MOST, this.#ratio * RISE);
  }
}

/**
 * The time that replays of one distance have not used yet. Each distance has its own, so neither holds up the other.
 */
export class Credit {
  #savedMs = 0;

  /** Adds time. */
  gain(ms: number): void {
    this.#savedMs = Math.min(MAX_SAVED_MS, this.#savedMs + ms);
  }

  /** How long replays may run now, in milliseconds; undefined: not yet. */
  get budgetMs(): number | undefined {
    return this.#savedMs < 0 ? undefined : this.#savedMs;
  }

  /** Subtracts time that was used. */
  spend(tookMs: number): void {
    this.#savedMs -= tookMs;
  }

  /** The loop has nothing else to do: time that was used beyond the share is forgiven. */
  forgive(): void {
    this.#savedMs = Math.max(0, this.#savedMs);
  }

  /** No subscriber is waiting for a page: no time is saved. */
  rest(): void {
    this.#savedMs = Math.min(0, this.#savedMs);
  }
}

/**
 * Whether the subscriber furthest behind of all approaches the newest event fast enough, and so does the one furthest
 * behind at each distance, if there was one there before.
 */
function doesFall(before: Lags, now: Lags, elapsedMs: number): boolean {
  const falls = (from: number, to: number) => from - to >= (from * elapsedMs) / AIM_MS;
  const each = DISTANCES.every((distance) => {
    const [from, to] = [before[distance], now[distance]];
    return from === undefined || to === undefined || falls(from, to);
  });
  return each && falls(furthest(before), furthest(now));
}

function furthest({ near = 0, far = 0 }: Lags): number {
  return Math.max(near, far);
}
