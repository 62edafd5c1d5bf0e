import { shuttingDown } from "./committer.ts";
import type { WriteHealth } from "./disk/write-health.ts";
import type { Bounds } from "./events/bounds.ts";
import type { SeriesEnds } from "./events/series-ends.ts";
import type { Damage } from "./file/damage.ts";
import type { Meta } from "./file/meta.ts";
import type { Transactor } from "./file/transactor.ts";
import type { IdempotencyKeys } from "./keys/idempotency.ts";

export interface DirectWritesOptions {
  readonly transactor: Transactor;
  readonly health: WriteHealth;
  readonly damage: Damage;
  readonly bounds: Bounds;
  readonly ends: SeriesEnds;
  readonly keys: IdempotencyKeys;
  readonly meta: Meta;
  /** The head that is saved in the file. */
  readonly savedHead: number;
}

/** Transactions of their own, besides those that append events. */
export class DirectWrites {
  readonly #transactor: Transactor;
  readonly #health: WriteHealth;
  readonly #damage: Damage;
  readonly #bounds: Bounds;
  readonly #ends: SeriesEnds;
  readonly #keys: IdempotencyKeys;
  readonly #meta: Meta;
  readonly #savedHead: number;
  #isStopping = false;

  constructor({ transactor, health, damage, bounds, ends, keys, meta, savedHead }: DirectWritesOptions) {
    this.#transactor = transactor;
    this.#health = health;
    this.#damage = damage;
    this.#bounds = bounds;
    this.#ends = ends;
    this.#keys = keys;
    this.#meta = meta;
    this.#savedHead = savedHead;
  }

  /** Commits what the work writes. Throws the `BusError` for any failure, `shutting_down` after `stop`. */
  run(work: () => void): void {
    if (this.#isStopping) throw shuttingDown();
    this.#commit(work);
  }

  /** Tries a real commit, so that free space on a full disk is noticed without a publish. */
  probe(): void {
    try {
      this.run(() => this.#keys.probe());
      this.#keys.committed();
    } catch {
      this.#keys.rolledBack();
    }
  }

  /**
   * Saves the newest id, so that its event cannot be lost undetected and its id is not reused, and the ends of the
   * series, so that the next opening is fast; after `stop`, too. Nothing may be appended after that. Failures are
   * reported.
   */
  saveHead(): void {
    const { head } = this.#bounds;
    // A damaged event may be of any series, whose end would then pass over it.
    const areEndsDue = this.#ends.isBehind(head) && !this.#damage.isFound;
    if ((head === this.#savedHead && !areEndsDue) || this.#health.current.state !== "ok") return;
    try {
      this.#commit(() => {
        this.#meta.set("head", head);
        if (areEndsDue) this.#ends.writeAll(head);
      });
    } catch {}
  }

  /** Rejects every later write. */
  stop(): void {
    this.#isStopping = true;
  }

  #commit(work: () => void): void {
    this.#health.requireWritable();
    try {
      this.#transactor.run(work);
      this.#health.recover();
    } catch (error) {
      throw this.#health.failure(error);
    }
  }
}
