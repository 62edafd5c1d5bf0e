import type { Meter } from "../bus/meter.ts";
import { shuttingDown } from "./committer.ts";
import type { Checkpoints } from "./disk/checkpoints.ts";
import type { Reserve } from "./disk/reserve.ts";
import type { WriteHealth } from "./disk/write-health.ts";
import { nextTurn } from "./file/next-turn.ts";
import type { Place } from "./file/place.ts";
import type { IdempotencyKeys } from "./keys/idempotency.ts";
import type { PruneRules, Pruner } from "./retention.ts";

/** After each slice of verification, up to this many times its duration is left for everything else. */
const REST_FACTOR = 9;
/** A turn of the loop that takes less than this, in milliseconds, had nothing else to do. */
const IDLE_MS = 0.05;

export interface UpkeepOptions {
  readonly pruner: Pruner;
  readonly checkpoints: Checkpoints;
  /** Undefined in memory. */
  readonly place: Place | undefined;
  readonly reserve: Reserve | undefined;
  readonly keys: IdempotencyKeys;
  readonly health: WriteHealth;
  readonly meter: Meter;
  /** Verifies some more of what was not verified when the file was opened; returns false if nothing is left. */
  readonly verifyNext: () => boolean;
}

/** Work besides appends, in slices: pruning and backups, one after another, and the verification of many series. */
export class Upkeep {
  readonly #pruner: Pruner;
  readonly #checkpoints: Checkpoints;
  readonly #place: Place | undefined;
  readonly #reserve: Reserve | undefined;
  readonly #keys: IdempotencyKeys;
  readonly #health: WriteHealth;
  readonly #meter: Meter;
  readonly #verifyNext: () => boolean;
  #running: Promise<unknown> = Promise.resolve();
  #verifying: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(options: UpkeepOptions) {
    const { pruner, checkpoints, place, reserve, keys, health, meter, verifyNext } = options;
    this.#pruner = pruner;
    this.#checkpoints = checkpoints;
    this.#place = place;
    this.#reserve = reserve;
    this.#keys = keys;
    this.#health = health;
    this.#meter = meter;
    this.#verifyNext = verifyNext;
  }

  /** Starts the verification, and takes the reserve. `onVerified` is called when that is done, or this is stopping. */
  start(onVerified: () => void = () => {}): void {
    this.#verifying = this.#verify().then(onVerified);
  }

  /** Removes what the rules no longer keep; resolves with the number of events removed. Rejects with the `BusError`. */
  prune(rules: PruneRules, nowMs: number): Promise<number> {
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

  /** Checks whether the file is where a restart will look for it, and can be written. Takes some microseconds. */
  look(): void {
    const { tooLarge } = this.#checkpoints;
    this.#health.found({ displaced: this.#place?.loss, ...(tooLarge !== undefined && { stuck: tooLarge }) });
  }

  async #prune(rules: PruneRules, nowMs: number): Promise<number> {
    let pruned = 0;
    const startMs = performance.now();
    this.look();
    try {
      this.#health.requireWritable();
      this.#checkpoint();
      await this.#withReserve(async () => {
        const isClosing = () => this.#isStopping;
        await this.#keys.expire(nowMs, isClosing);
        await this.#pruner.prune(rules, nowMs, isClosing, (rows) => {
          pruned += rows;
        });
      });
    } catch (error) {
      throw this.#health.failure(error);
    }
    this.#meter.prune(pruned, performance.now() - startMs);
    return pruned;
  }

  /** Does the work; if the disk is full, again without the reserve, which is then refilled from what the work frees. */
  async #withReserve(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#health.isFull(error) || this.#reserve?.release() !== true) throw error;
      this.#checkpoint();
      await work();
    } finally {
      this.#checkpoint();
      this.#reserve?.fill();
    }
  }

  #checkpoint(): void {
    this.#health.found({ stuck: this.#checkpoints.run() });
  }

  async #verify(): Promise<void> {
    await nextTurn();
    if (!this.#isStopping) this.#reserve?.fill();
    while (!this.#isStopping) {
      const startMs = performance.now();
      if (!this.#verifyNext()) return;
      await rest((performance.now() - startMs) * REST_FACTOR);
    }
  }
}

/** Resolves when the loop has nothing else to do, or after this many milliseconds. */
async function rest(mostMs: number): Promise<void> {
  const startMs = performance.now();
  let tookMs = 0;
  for (let turnMs = Number.POSITIVE_INFINITY; turnMs >= IDLE_MS && tookMs < mostMs; ) {
    await nextTurn();
    turnMs = performance.now() - startMs - tookMs;
    tookMs += turnMs;
  }
}
