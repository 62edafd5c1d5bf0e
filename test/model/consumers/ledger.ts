import type { DeadEvent } from "../../../src/protocol/consumer.ts";

/** How long a delivery may be out, in milliseconds. */
export const ACK_TIMEOUT_MS = 2000;
/** A delivery that comes to another worker this much earlier than that was given to two. The loop may be late. */
const SURELY_HELD_MS = ACK_TIMEOUT_MS / 3;
export const MAX_ATTEMPTS = 8;

export interface WorkEvent {
  readonly id: number;
  readonly topic: string;
}

/** What has happened to each event of a consumer, and what of it must not. */
export class Ledger {
  /** The first thing that was wrong. */
  breach: string | undefined;
  readonly #published = new Map<number, string>();
  readonly #done = new Set<number>();
  /** Acknowledged, but the response was lost. */
  readonly #unsure = new Set<number>();
  /** Events that came before an earlier one of their topic was done: right only if that one was given up. */
  readonly #overtaken = new Map<number, number>();
  readonly #held = new Map<number, number>();
  readonly #isOrdered: boolean;

  constructor(isOrdered: boolean) {
    this.#isOrdered = isOrdered;
  }

  published(id: number, topic: string): void {
    this.#published.set(id, topic);
  }

  /** A worker has got the event. */
  begin({ id, topic }: WorkEvent): void {
    this.published(id, topic);
    const sinceMs = this.#held.get(id);
    if (sinceMs !== undefined && performance.now() - sinceMs < SURELY_HELD_MS) this.#fault(`${id} is at two workers`);
    const earlier = this.#isOrdered && this.#earlierOpen(id, topic);
    if (earlier) this.#overtaken.set(earlier, id);
    this.#held.set(id, performance.now());
  }

  /** The worker no longer has it; it must come again. */
  release(id: number): void {
    this.#held.delete(id);
  }

  /** The worker says that it is done; `acknowledged` or `rejected` follows. */
  finish(id: number): void {
    this.#held.delete(id);
    this.#done.add(id);
  }

  /** The server knew nothing of the delivery any more. */
  rejected(id: number): void {
    this.#done.delete(id);
  }

  /** It is unknown whether the server has received it. */
  unsure(id: number): void {
    this.#unsure.add(id);
  }

  /** A worker settled a delivery that was not its own. */
  settledForOthers(): void {
    this.#fault("a worker has settled what is another's");
  }

  /** The server was killed: nothing is out any more, and what was acknowledged may come again. */
  killed(): void {
    this.#held.clear();
  }

  stuck(): void {
    this.#fault("the work does not end");
  }

  /** Nothing is left to do: every event must be done, or dead. */
  end(givenUp: readonly DeadEvent[]): void {
    const dead = new Set(givenUp.map(({ id }) => id));
    const lost = [...this.#published.keys()].filter((id) => !this.#isDone(id) && !dead.has(id));
    if (lost.length > 0) this.#fault(`lost: ${lost.join(", ")}`);
    for (const [earlier, id] of this.#overtaken) {
      if (!dead.has(earlier)) this.#fault(`${id} came before ${earlier} was settled`);
    }
    const early = givenUp.find(({ attempts }) => attempts !== MAX_ATTEMPTS);
    if (early) this.#fault(`${early.id} was given up after ${early.attempts} attempts`);
  }

  #isDone(id: number): boolean {
    return this.#done.has(id) || this.#unsure.has(id);
  }

  #earlierOpen(id: number, topic: string): number | undefined {
    for (const [other, its] of this.#published) {
      if (other < id && its === topic && !this.#isDone(other)) return other;
    }
    return undefined;
  }

  #fault(what: string): void {
    this.breach ??= what;
  }
}
