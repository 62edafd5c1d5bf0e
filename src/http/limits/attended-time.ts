/**
 * A pause between two readings, in milliseconds, after which the process itself was absent: stopped by a signal, frozen
 * with its machine, or without a processor. No turn of the loop is nearly as long.
 */
const ABSENCE_MS = 2000;

/**
 * A clock, in milliseconds, that stands still while the process is absent, so that the absence is not taken for the
 * silence of its peers. MUST be read more often than every two seconds.
 */
export class AttendedTime {
  readonly #clock: () => number;
  #readMs: number;
  #absentMs = 0;

  /** `clock` never decreases; default `performance.now`. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.#readMs = clock();
  }

  get nowMs(): number {
    const nowMs = this.#clock();
    const pausedMs = nowMs - this.#readMs;
    if (pausedMs > ABSENCE_MS) this.#absentMs += pausedMs;
    this.#readMs = nowMs;
    return nowMs - this.#absentMs;
  }
}
