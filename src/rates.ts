import type { Bus } from "./bus/bus.ts";

/** Seconds that a rate is the mean of. */
const WINDOW_S = 10;

/** How many events were published since the start, and lately. */
export class Rates {
  readonly #bus: Bus;
  readonly #headAtStart: number;
  /** Head of the log at each of the last seconds, oldest first. */
  readonly #heads: number[];

  constructor(bus: Bus) {
    this.#bus = bus;
    this.#headAtStart = bus.head;
    this.#heads = [bus.head];
    setInterval(() => {
      this.#heads.push(bus.head);
      if (this.#heads.length > WINDOW_S) this.#heads.shift();
    }, 1000).unref();
  }

  get published(): number {
    return this.#bus.head - this.#headAtStart;
  }

  /** Mean of the last ten seconds. */
  get perSecond(): number {
    const [oldest = 0] = this.#heads;
    return Math.round(((this.#bus.head - oldest) / this.#heads.length) * 10) / 10;
  }
}
