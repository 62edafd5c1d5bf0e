/**
 * How far behind: `near` is read from memory, `far` from the disk. Each has its own share of the time, so neither holds
 * up the other.
 */
export type Distance = "near" | "far";
export const DISTANCES: readonly Distance[] = ["near", "far"];

/**
 * Deliveries of one step; one event for a thousand members counts as a thousand. About five milliseconds of work.
 * Smaller steps would cost more, as Bun combines up to 32 published messages for a socket.
 */
export const STEP_DELIVERIES = 32_768;

/** With at least this many members in one wait, more are on their way: they wait once more for one another. */
const CROWD_MEMBERS = 8;
/** A crowd waits at most this many times, so that members begin however long others come. */
const MAX_WAITS = 20;

/** Work in bounded steps: for some subscribers that are behind, or for one that searches for its start. */
export interface Work {
  /** Whether a step would do anything. */
  has(distance: Distance): boolean;
  /** Does a few milliseconds of work at most. Returns the work that moved: itself, or several that share a read. */
  step(distance: Distance): readonly Work[];
  /**
   * Events between the newest and the subscriber furthest behind of those that can take more; undefined if there are
   * none.
   */
  lag(distance: Distance): number | undefined;
  /** There is nothing more to do at any distance. */
  rest?(): void;
}

/** Work that members join: members that join at about the same time begin together. */
export interface Arrivals {
  /** Lets the members that have joined since the last call begin. */
  admit(): void;
}

export interface ReplaysOptions {
  /** Called when work arrives while there was none. */
  readonly onWork: () => void;
  /** Calls back when other members have had time to join; default: at once. */
  readonly gather?: (done: () => void) => void;
}

/** All work for subscribers that are behind. Different requests take turns. */
export class Replays {
  readonly #queues: Readonly<Record<Distance, Set<Work>>> = { near: new Set(), far: new Set() };
  readonly #onWork: () => void;
  readonly #gather: (done: () => void) => void;
  readonly #arrivals = new Set<Arrivals>();
  #isGathering = false;
  /** Members that have joined in this wait. */
  #came = 0;

  constructor({ onWork, gather = (done) => done() }: ReplaysOptions) {
    this.#onWork = onWork;
    this.#gather = gather;
  }

  /**
   * A member has joined. The first one begins at once; members that join soon after it wait a moment for one another,
   * and a crowd until it has come. Otherwise a thousand members that join one by one would each be served alone.
   */
  arrive(at: Arrivals): void {
    this.#arrivals.add(at);
    this.#came++;
    if (!this.#isGathering) this.#admit();
  }

  #admit(): void {
    if (this.#arrivals.size === 0) return;
    this.#isGathering = true;
    for (const at of this.#arrivals) at.admit();
    this.#arrivals.clear();
    this.#wait(MAX_WAITS);
  }

  #wait(waitsLeft: number): void {
    this.#came = 0;
    this.#gather(() => {
      if (this.#came >= CROWD_MEMBERS && waitsLeft > 1) {
        this.#wait(waitsLeft - 1);
        return;
      }
      this.#isGathering = false;
      this.#admit();
    });
  }

  /** Adds work that may have something to do. */
  add(work: Work): void {
    const wasIdle = this.isIdle;
    for (const distance of DISTANCES) if (work.has(distance)) this.#queues[distance].add(work);
    if (wasIdle && !this.isIdle) this.#onWork();
  }

  get isIdle(): boolean {
    return this.#queues.near.size + this.#queues.far.size === 0;
  }

  has(distance: Distance): boolean {
    return this.#queues[distance].size > 0;
  }

  /** Does one step for the work that is next; returns false if there is nothing to do. */
  step(distance: Distance): boolean {
    const [work] = this.#queues[distance];
    if (work === undefined) return false;
    const done = work.has(distance) ? work.step(distance) : [work];
    for (const one of done) this.#requeue(one, distance);
    return true;
  }

  #requeue(work: Work, distance: Distance): void {
    this.#queues[distance].delete(work);
    this.add(work);
    if (!DISTANCES.some((each) => this.#queues[each].has(work))) work.rest?.();
  }

  /**
   * Events between the newest and the subscriber furthest behind of those that can take more; undefined if there are
   * none.
   */
  lag(distance: Distance): number | undefined {
    let most: number | undefined;
    for (const work of this.#queues[distance]) {
      const lag = work.lag(distance);
      if (lag !== undefined && lag > (most ?? -1)) most = lag;
    }
    return most;
  }
}
