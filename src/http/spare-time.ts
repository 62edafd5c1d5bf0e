/** A slice of such work, in milliseconds: what a live event may have to wait for it. */
const SLICE_MS = 0.5;
/** After a slice, this many times its length goes to everything else, if there is anything else. */
const SHARE_OF_OTHERS = 29;
/** A turn of the loop in which everything else took less than this was idle. */
const IDLE_MS = 0.05;
/** Once it was idle for so long, the time may as well be used. Publishers that were just answered take less to publish again. */
const QUIET_MS = 0.3;

/**
 * Runs work that must not slow down what is live: the reading of history for subscribers who are behind.
 *
 * While the loop has other things to do, such work gets a thirtieth of the time, in short slices; when it has none, all
 * of it. The tasks take turns.
 */
export class SpareTime {
  readonly #tasks: (() => void)[] = [];
  #isScheduled = false;
  /** What the others are owed before the next slice. */
  #owedMs = 0;
  #lookedMs = 0;
  /** For how long every turn was idle, but for slices. */
  #quietMs = 0;

  /** Runs the task once, in a later turn of the loop. */
  run(task: () => void): void {
    this.#tasks.push(task);
    if (this.#isScheduled) return;
    this.#lookedMs = performance.now();
    this.#schedule();
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#turn();
      if (this.#tasks.length > 0 && !this.#isScheduled) this.#schedule();
    });
  }

  #turn(): void {
    const nowMs = performance.now();
    const othersMs = nowMs - this.#lookedMs;
    this.#owedMs -= othersMs;
    this.#lookedMs = nowMs;
    this.#quietMs = othersMs > IDLE_MS ? 0 : this.#quietMs + othersMs;
    if (this.#quietMs < QUIET_MS && this.#owedMs > 0) return;
    const tookMs = this.#slice(nowMs);
    this.#owedMs = tookMs * SHARE_OF_OTHERS;
    this.#lookedMs = nowMs + tookMs;
  }

  /** Runs tasks until the slice is over, one at the least; returns what it took. */
  #slice(startMs: number): number {
    let tookMs = 0;
    while (tookMs < SLICE_MS) {
      const task = this.#tasks.shift();
      if (task === undefined) break;
      task();
      tookMs = performance.now() - startMs;
    }
    return tookMs;
  }
}
