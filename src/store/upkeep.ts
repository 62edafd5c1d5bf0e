import type { Meter } from "../bus/meter.ts";
import type { Retention } from "../bus/ports.ts";
import { shuttingDown } from "./committer.ts";
import { nextTurn } from "./file/next-turn.ts";
import type { WriteHealth } from "./file/write-health.ts";
import type { IdempotencyKeys } from "./keys/idempotency.ts";
import type { Pruner } from "./retention.ts";

/** Between two slices of verification, this many times the duration of a slice is left for everything else. */
const REST_FACTOR = 9;

export interface UpkeepOptions {
  readonly pruner: Pruner;
  readonly keys: IdempotencyKeys;
  readonly health: WriteHealth;
  readonly meter: Meter;
  /** Verifies some more of what was not verified when the file was opened; returns false if nothing is left. */
  readonly verifyNext: () => boolean;
}

/** Work besides appends, in slices: pruning and backups, one after another, and the verification of many series. */
export class Upkeep {
  readonly #pruner: Pruner;
  readonly #keys: IdempotencyKeys;
  readonly #health: WriteHealth;
  readonly #meter: Meter;
  readonly #verifyNext: () => boolean;
  #running: Promise<unknown> = Promise.resolve();
  #verifying: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor({ pruner, keys, health, meter, verifyNext }: UpkeepOptions) {
    this.#pruner = pruner;
    this.#keys = keys;
    this.#health = health;
    this.#meter = meter;
    this.#verifyNext = verifyNext;
  }

  /** Starts the verification. */
  start(): void {
    this.#verifying = this.#verify();
  }

  /** Removes what the rules no longer keep; resolves with the number of events removed. Rejects with the `BusError`. */
  prune(rules: Retention, nowMs: number): Promise<number> {
    return this.after(() => this.#prune(rules, nowMs));
  }

  /** Does the work after other work of this kind has ended. Rejects with `shutting_down` once this is stopping. */
  after<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isStopping) return Promise.reject(shuttingDown());
    const run = this.#running.then(work);
    this.#running = run.catch(() => {});
    return run;
  }

  /** Ends the current work, after its slice. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    await this.#verifying;
  }

  async #prune(rules: Retention, nowMs: number): Promise<number> {
    const isClosing = () => this.#isStopping;
    try {
      this.#health.requireWritable();
      const startMs = performance.now();
      await this.#keys.expire(nowMs, isClosing);
      const pruned = await this.#pruner.prune(rules, nowMs, isClosing);
      this.#meter.prune(pruned, performance.now() - startMs);
      return pruned;
    } catch (error) {
      throw this.#health.failure(error);
    }
  }

  async #verify(): Promise<void> {
    await nextTurn();
    while (!this.#isStopping) {
      const startMs = performance.now();
      if (!this.#verifyNext()) return;
      await Bun.sleep((performance.now() - startMs) * REST_FACTOR);
    }
  }
}
