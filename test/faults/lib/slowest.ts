/** Inputs that are sent again: enough to contain each one that took long, and those that only waited for it. */
const CANDIDATES = 40;
/** How often each is sent again. A collection of garbage can only add to the times, so the shortest one counts. */
const TRIES = 5;
/** A try that takes no longer than this many controls is the last. */
const ENOUGH_RATIO = 10;
/**
 * How many times as much processor time as a request that does nothing an input may take: some milliseconds, and
 * on a machine of any speed far below a second.
 */
const MAX_RATIO = 50;

/** Sends an input, and resolves with how much processor time the server has used for it. */
type Send = (input: string) => Promise<number>;

/** Finds the inputs that keep a server busy for long, among many that are sent at the same time. */
export class Slowest {
  #slowest: { readonly input: string; readonly ms: number }[] = [];

  /** Notes how long an input took, or waited for others. */
  note(input: string, ms: number): void {
    if (this.#slowest.length === CANDIDATES && ms <= (this.#slowest.at(-1)?.ms ?? 0)) return;
    this.#slowest = [...this.#slowest, { input, ms }].sort((a, b) => b.ms - a.ms).slice(0, CANDIDATES);
  }

  /** The longest time that was noted, in milliseconds. Whatever else the machine did is a part of it. */
  get longestMs(): number {
    return this.#slowest[0]?.ms ?? 0;
  }

  /** Sends the slowest ones again, alone; resolves with those that take much whenever they are sent. */
  async confirm(send: Send, control: string): Promise<{ slow: string[]; mostRatio: number }> {
    const controlMs = await least(send, control, 0);
    const slow: string[] = [];
    let mostRatio = 0;
    for (const { input } of this.#slowest) {
      const ratio = (await least(send, input, controlMs * ENOUGH_RATIO)) / controlMs;
      mostRatio = Math.max(mostRatio, ratio);
      if (ratio > MAX_RATIO) slow.push(`slow, ${Math.round(ratio)} times the control: ${input}`);
    }
    return { slow, mostRatio };
  }
}

/** The least time of some tries, or the first one that is short enough. */
async function least(send: Send, input: string, enoughMs: number): Promise<number> {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let count = 0; count < TRIES && leastMs > enoughMs; count++) leastMs = Math.min(leastMs, await send(input));
  return leastMs;
}
