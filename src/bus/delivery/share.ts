import { DISTANCES, type Distance } from "./replays.ts";

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

/** Events between the newest and the hindmost who waits for a page, at each distance; undefined: nobody waits there. */
export type Lags = Readonly<Record<Distance, number | undefined>>;

/**
 * How much of the time replays get, as a ratio to everything else; see `Credit` for who of them.
 *
 * Little, as long as their lag falls with it, or they do not use it up: what waits for slow readers needs no time. More,
 * when there is always somebody who waits for the next page, and the hindmost does not come closer to the newest event
 * fast enough. One for both distances, as whoever catches up is far first and then near. Clocks are arguments.
 */
export class Share {
  #ratio = LEAST;
  #setAtMs = 0;
  #lags: Lags | undefined;
  /** Nobody waited at some time of the interval. */
  #wasIdle = false;

  /** Time for each millisecond that everything else takes. */
  get ratio(): number {
    return this.#ratio;
  }

  /** The part of all time, from 0 to 1. */
  get part(): number {
    return this.#ratio / (1 + this.#ratio);
  }

  /** Nobody waits for a page. */
  rest(): void {
    this.#wasIdle = true;
  }

  /** Sets the share when it is time to. */
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

/** The time that replays of one distance have not used yet. Each has its own, so that neither holds up the other. */
export class Credit {
  #savedMs = 0;

  /** So much time was gained. */
  gain(ms: number): void {
    this.#savedMs = Math.min(MAX_SAVED_MS, this.#savedMs + ms);
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

  /** Nobody waits for a page: nothing is saved up. */
  rest(): void {
    this.#savedMs = Math.min(0, this.#savedMs);
  }
}

/** Whether the hindmost of all comes closer fast enough, and the hindmost of each distance, if there was one before. */
function doesFall(before: Lags, now: Lags, elapsedMs: number): boolean {
  const falls = (from: number, to: number) => from - to >= (from * elapsedMs) / AIM_MS;
  const each = DISTANCES.every((distance) => {
    const [from, to] = [before[distance], now[distance]];
    return from === undefined || to === undefined || falls(from, to);
  });
  return each && falls(hindmost(before), hindmost(now));
}

function hindmost({ near = 0, far = 0 }: Lags): number {
  return Math.max(near, far);
}
