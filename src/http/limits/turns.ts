/**
 * How long one turn of the event loop begins requests, in milliseconds. A publish that arrives meanwhile waits for two
 * or three turns, so this is the larger part of the delay that other clients can cause.
 */
export const TURN_MS = 1;
/** Maximum with a part of the time of everything else, in milliseconds: four searches of the history. */
export const MAX_TURN_MS = 4;
/**
 * Maximum number of requests that one turn begins, however short they are. The time above contains only a part of what
 * the kernel and Bun do for each (accepting, reading, closing).
 */
export const TURN_REQUESTS = 64;

/** The client that waits for work: a `Request`. Its signal is only made when it is used. */
type Client = Pick<Request, "signal">;

export interface TurnsOptions {
  /** Returns milliseconds since any moment. */
  readonly nowMs?: () => number;
  /**
   * While work waits, a turn has this part of the time that everything else took since the last one, at least `TURN_MS`
   * and at most `MAX_TURN_MS`; default 0. So work goes on beside publishers that use whole turns of tens of milliseconds.
   */
  readonly part?: number;
}

/** Work for a later turn. */
interface Step {
  begin(): void;
  /** Drops the work if its client has left; returns whether it did. */
  isGivenUp(): boolean;
}

/**
 * Bounds the requests that one turn of the event loop begins; the others wait for later turns, in order.
 *
 * Bun accepts connections, and reads the pipelined requests of one, as long as there are more. Responses that are given
 * in the same turn bring the next requests, so a turn might never end, and nothing else would be read. A response from
 * a later turn ends both loops: the client waits for it, and Bun closes a connection that sends more before it.
 */
export class Turns {
  readonly #nowMs: () => number;
  readonly #part: number;
  readonly #waiting: Step[] = [];
  /** The end of this turn is scheduled. */
  #isCounting = false;
  #begunMs = 0;
  #begun = 0;
  /** How long this turn may be. */
  #turnMs = TURN_MS;
  /** The end of the last turn, if work has waited since. */
  #endedMs: number | undefined;

  constructor({ nowMs = () => performance.now(), part = 0 }: TurnsOptions = {}) {
    this.#nowMs = nowMs;
    this.#part = part;
  }

  /** Does the work at once if the turn has room for it, otherwise as `later` does. */
  run<T>(work: () => T | Promise<T>, client?: Client): T | Promise<T> {
    return this.#waiting.length === 0 && this.#hasRoom() ? work() : this.later(work, client);
  }

  /**
   * Does the work in a later turn that has room for it, after everything that is already waiting. Settles as the work
   * does, or rejects with the reason of the client's signal if that is aborted first.
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
    if (this.#begun === 0) this.#beginTurn();
    else if (this.#begun >= TURN_REQUESTS || this.#nowMs() - this.#begunMs >= this.#turnMs) return false;
    this.#begun++;
    return true;
  }

  #beginTurn(): void {
    this.#begunMs = this.#nowMs();
    const othersMs = this.#begunMs - (this.#endedMs ?? this.#begunMs);
    this.#turnMs = Math.max(TURN_MS, Math.min(othersMs * this.#part, MAX_TURN_MS));
  }

  /**
   * Each step is an immediate of its own, so that its promises settle, and their time is counted, before the next one.
   * The last one ends the turn. With a part of the time, there are some for work that continues in the same turn.
   */
  #schedule(): void {
    this.#isCounting = true;
    const least = this.#part > 0 ? Math.ceil(MAX_TURN_MS / TURN_MS) : 0;
    const steps = Math.min(Math.max(this.#waiting.length, least), TURN_REQUESTS);
    for (let step = 0; step < steps; step++) setImmediate(() => this.#step());
    setImmediate(() => this.#end());
  }

  #step(): void {
    if (this.#waiting.length === 0 || !this.#hasRoom()) return;
    let step = this.#waiting.shift();
    while (step?.isGivenUp()) step = this.#waiting.shift();
    step?.begin();
  }

  #end(): void {
    this.#begun = 0;
    this.#isCounting = false;
    const isMore = this.#waiting.length > 0;
    this.#endedMs = isMore ? this.#nowMs() : undefined;
    if (isMore) this.#schedule();
  }
}
