/**
 * How far behind: `near` is read from memory, `far` from the disk. Each has its own share of the time, so neither holds
 * up the other.
 */
export type Distance = "near" | "far";
export const DISTANCES: readonly Distance[] = ["near", "far"];

/** Work in bounded steps: for some subscribers that are behind, or for one that searches for its start. */
export interface Work {
  /** Whether a step would do anything. */
  has(distance: Distance): boolean;
  /** Does about a millisecond of work, or one page. */
  step(distance: Distance): void;
  /**
   * Events between the newest and the subscriber furthest behind of those that can take more; undefined if there are
   * none.
   */
  lag(distance: Distance): number | undefined;
}

/** All work for subscribers that are behind. Different requests take turns. */
export class Replays {
  readonly #queues: Readonly<Record<Distance, Set<Work>>> = { near: new Set(), far: new Set() };
  readonly #onWork: () => void;

  /** `onWork` is called when work arrives while there was none. */
  constructor(onWork: () => void) {
    this.#onWork = onWork;
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
    this.#queues[distance].delete(work);
    if (work.has(distance)) work.step(distance);
    this.add(work);
    return true;
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
