/** What was missed by more than this, in milliseconds, is not made up for. */
const MAX_LATE_MS = 1000;

/** Lets this many events a second pass, evenly. */
export class Pace {
  readonly #eventMs: number;
  #nextMs = performance.now();

  constructor(eventsPerSecond: number) {
    this.#eventMs = 1000 / eventsPerSecond;
  }

  /** Resolves when it is the turn of these events. */
  async take(events: number): Promise<void> {
    const nowMs = performance.now();
    const turnMs = Math.max(this.#nextMs, nowMs - MAX_LATE_MS);
    this.#nextMs = turnMs + events * this.#eventMs;
    if (turnMs > nowMs) await Bun.sleep(turnMs - nowMs);
  }
}
