/**
 * How long one turn of the event loop goes on beginning requests, in milliseconds. A publish that comes meanwhile waits
 * for two or three turns, so this is the better part of what others can make it wait.
 */
export const TURN_MS = 1;
/**
 * Requests that one turn begins, however short they are. What the kernel and Bun do for each (accepting, reading, closing)
 * is only partly in the time above.
 */
export const TURN_REQUESTS = 64;

/** Who waits for work: a `Request`, whose signal is not made before it is asked for. */
type Client = Pick<Request, "signal">;

/** Work of a turn to come. */
interface Step {
  begin(): void;
  /** Gives it up when it is not wanted any more, and returns whether it did. */
  isGivenUp(): boolean;
}

/**
 * Bounds the requests that one turn of the event loop begins; those that come after wait for later turns, in their order.
 *
 * Bun accepts connections, and reads the pipelined requests of one, as long as there are more. Answers that are given in
 * the same turn bring the next ones, so that a turn need never end, and nothing else is ever read. An answer from a
 * later turn ends both: the client waits for it, and Bun closes a connection that sends more before it has come.
 */
export class Turns {
  readonly #nowMs: () => number;
  readonly #waiting: Step[] = [];
  /** The end of this turn is scheduled. */
  #isCounting = false;
  #begunMs = 0;
  #begun = 0;

  /** `nowMs` returns milliseconds since any moment. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Does the work at once when the turn has room for it, else as `later` does. */
  run<T>(work: () => T | Promise<T>, client?: Client): T | Promise<T> {
    return this.#waiting.length === 0 && this.#hasRoom() ? work() : this.later(work, client);
  }

  /**
   * Does the work in a later turn that has room for it, after all that waits already. Settles as the work does, or
   * rejects with the reason of the client's signal if that is aborted first.
   */
  later<T>(work: () => T | Promise<T>, client?: Client): Promise<T> {
    return new Promise((resolve, reject) => {
      const begin = () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      const isGivenUp = () => {
        if (client?.signal.aborted !== true) return false;
        reject(client.signal.reason);
        return true;
      };
      this.#waiting.push({ begin, isGivenUp });
      if (!this.#isCounting) this.#schedule();
    });
  }

  #hasRoom(): boolean {
    if (!this.#isCounting) this.#schedule();
    if (this.#begun === 0) this.#begunMs = this.#nowMs();
    else if (this.#begun >= TURN_REQUESTS || this.#nowMs() - this.#begunMs >= TURN_MS) return false;
    this.#begun++;
    return true;
  }

  /**
   * Each step is an immediate of its own, so that its promises are settled, and their time is seen, before the next one.
   * The last one ends the turn.
   */
  #schedule(): void {
    this.#isCounting = true;
    const steps = Math.min(this.#waiting.length, TURN_REQUESTS);
    for (let step = 0; step < steps; step++) setImmediate(() => this.#step());
    setImmediate(() => this.#end());
  }

  #step(): void {
    if (!this.#hasRoom()) return;
    let step = this.#waiting.shift();
    while (step?.isGivenUp()) step = this.#waiting.shift();
    step?.begin();
  }

  #end(): void {
    this.#begun = 0;
    this.#isCounting = false;
    if (this.#waiting.length > 0) this.#schedule();
  }
}
