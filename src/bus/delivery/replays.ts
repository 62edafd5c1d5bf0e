/**
 * How far behind: `near` is read from memory, `far` from the disk. Each gets a share of the time of its own, so that
 * neither holds up the other.
 */
export type Distance = "near" | "far";
export const DISTANCES: readonly Distance[] = ["near", "far"];

/** Some subscribers who are behind, or one who looks for its start: what can be done for them in bounded steps. */
export interface Work {
  /** Whether a step would do anything. */
  has(distance: Distance): boolean;
  /** Does about a millisecond's work, or a page's. */
  step(distance: Distance): void;
  /** Events between the hindmost that takes more and the newest; undefined when there is none. */
  lag(distance: Distance): number | undefined;
}

/** All work for subscribers who are behind. Those who want different things take turns. */
export class Replays {
  readonly #queues: Readonly<Record<Distance, Set<Work>>> = { near: new Set(), far: new Set() };
  readonly #onWork: () => void;

  /** `onWork` is called when there is work where there was none. */
  constructor(onWork: () => void) {
    this.#onWork = onWork;
  }

  /** There may be something to do. */
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

  /** Does one step for who is next; false when there is nothing to do. */
  step(distance: Distance): boolean {
    const [work] = this.#queues[distance];
    if (work === undefined) return false;
    this.#queues[distance].delete(work);
    if (work.has(distance)) work.step(distance);
    this.add(work);
    return true;
  }

  /** Events between the newest and the hindmost who takes more; undefined when there is none. */
  lag(distance: Distance): number | undefined {
    let most: number | undefined;
    for (const work of this.#queues[distance]) {
      const lag = work.lag(distance);
      if (lag !== undefined && lag > (most ?? -1)) most = lag;
    }
    return most;
  }
}
