import { DISTANCES, type Distance, Replays } from "../../bus/delivery/replays.ts";
import { Credit, Share } from "../../bus/delivery/share.ts";

/** Minimum slice of replays, in milliseconds: how long a live event may have to wait for it. */
const SLICE_MS = 0.5;
/**
 * Maximum slice of replays of one distance in a turn that commits nothing, in milliseconds. Without it, a slow fsync,
 * or one search after another, would be followed by a slice that is twice as long.
 */
const MAX_SLICE_MS = 2;
/**
 * How much longer a slice may be for each event that was committed since the last one, in milliseconds: as long as it
 * takes to deliver an event to a thousand subscribers, and to read some hundred for one. So replays can approach the
 * newest event however many one turn commits.
 */
const SLICE_MS_PER_EVENT = 0.4;
/** A turn of the loop is idle if everything else took less than this, in milliseconds. */
const IDLE_MS = 0.05;
/**
 * The loop is idle once all its turns have been idle for this long, in milliseconds. Publishers that just got
 * their responses take less time to publish again, so the moment after a commit does not count.
 */
const QUIET_MS = 0.3;

/** How long members that begin soon after one another wait for more, in milliseconds: after a restart, dozens come. */
const GATHER_MS = 50;

export interface SpareTimeOptions {
  /** Returns the newest id. */
  readonly head: () => number;
  /** Calls back in a later turn of the loop; default `setImmediate`. */
  readonly later?: (callback: () => void) => void;
  /** Default `SLICE_MS`; 0: one step. */
  readonly sliceMs?: number;
}

/**
 * Runs work that must not slow down live delivery: reading the history for subscribers that are behind.
 *
 * While the loop has other work, near and far replays each get a share of the time, in slices. While the loop is idle,
 * they get all of it.
 */
export class SpareTime {
  readonly replays: Replays;
  readonly #share = new Share();
  readonly #credits: Readonly<Record<Distance, Credit>> = { near: new Credit(), far: new Credit() };
  readonly #later: (callback: () => void) => void;
  readonly #sliceMs: number;
  readonly #head: () => number;
  /** The newest id at the end of the last turn. */
  #headBefore = 0;
  #isScheduled = false;
  #lookedMs = 0;
  /** How long every turn has been idle, not counting slices. */
  #quietMs = 0;
  /** Duration of the slices of the last turn. */
  #usedMs = 0;

  constructor({ later = setImmediate, sliceMs = SLICE_MS, head }: SpareTimeOptions) {
    this.#later = later;
    this.#sliceMs = sliceMs;
    this.#head = head;
    this.replays = new Replays({
      onWork: () => this.#begin(),
      gather: (done) => void setTimeout(done, GATHER_MS).unref(),
    });
  }

  /** The part of all time that replays of each distance may use while the loop is busy, from 0 to 1. */
  get part(): number {
    return this.#share.part;
  }

  #begin(): void {
    if (this.#isScheduled) return;
    this.#lookedMs = performance.now();
    this.#headBefore = this.#head();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#later(() => {
      this.#isScheduled = false;
      this.#turn();
      if (!this.replays.isIdle) this.#schedule();
    });
  }

  #turn(): void {
    const nowMs = performance.now();
    const othersMs = nowMs - this.#lookedMs;
    // Writing the last slice's output to sockets is not other work.
    this.#quietMs = othersMs > Math.max(IDLE_MS, this.#usedMs) ? 0 : this.#quietMs + othersMs;
    this.#usedMs = 0;
    const head = this.#head();
    const maxMs = MAX_SLICE_MS + (head - this.#headBefore) * SLICE_MS_PER_EVENT;
    this.#headBefore = head;
    for (const distance of DISTANCES) this.#give(distance, othersMs, maxMs);
    if (this.replays.isIdle) this.#share.rest();
    this.#lookedMs = performance.now();
    this.#share.set(this.#lookedMs, () => ({ near: this.replays.lag("near"), far: this.replays.lag("far") }));
  }

  #give(distance: Distance, othersMs: number, maxMs: number): void {
    const credit = this.#credits[distance];
    credit.gain(othersMs * this.#share.ratio);
    if (this.#quietMs >= QUIET_MS) credit.forgive();
    const { budgetMs } = credit;
    if (budgetMs !== undefined && this.replays.has(distance)) {
      const tookMs = this.#slice(distance, Math.max(this.#sliceMs, Math.min(budgetMs, maxMs)));
      credit.spend(tookMs);
      this.#usedMs += tookMs;
    }
    if (!this.replays.has(distance)) credit.rest();
  }

  /** Steps until the slice is over, at least one; returns its duration, in milliseconds. */
  #slice(distance: Distance, lengthMs: number): number {
    const startMs = performance.now();
    let tookMs = 0;
    do {
      if (!this.replays.step(distance)) break;
      tookMs = performance.now() - startMs;
    } while (tookMs < lengthMs);
    return tookMs;
  }
}
