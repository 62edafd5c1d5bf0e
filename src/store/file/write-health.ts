import { BusError } from "../../bus/errors.ts";
import type { Health } from "../../bus/ports.ts";
import type { Damage } from "./damage.ts";
import { isDamage, isFull } from "./sqlite-error.ts";

/** Whether the history can be written, by its last failure. */
export class WriteHealth {
  readonly #damage: Damage;
  readonly #onFailure: (error: unknown) => void;
  #state: Health = { state: "ok" };

  /** `onFailure` is called once, with a write whose outcome is unknown. */
  constructor(damage: Damage, onFailure: (error: unknown) => void) {
    this.#damage = damage;
    this.#onFailure = onFailure;
  }

  get current(): Health {
    return this.#state;
  }

  /** A write has succeeded. */
  recover(): void {
    if (this.#state.state === "full") this.#state = { state: "ok" };
  }

  /** Throws if an earlier write failed for good. */
  requireWritable(): void {
    if (this.#state.state !== "failed") return;
    throw new BusError(
      "unavailable",
      "an earlier write to the history failed: it accepts no more writes, and this was not stored",
    );
  }

  /**
   * Notes a failed write and returns the error for its caller.
   *
   * A full disk, or a file with damaged structures, has rolled back. After any other error the content of the disk is
   * unknown.
   */
  failure(error: unknown): BusError {
    if (error instanceof BusError) return error;
    if (isFull(error)) {
      this.#state = { state: "full", detail: "the disk of the history is full" };
      return new BusError("storage_full", "the disk of the history is full: nothing was written", { cause: error });
    }
    if (isDamage(error)) {
      this.#damage.note(`the history cannot be written: ${(error as Error).message}`);
      return new BusError("internal", "the history is damaged on disk: nothing was written", { cause: error });
    }
    if (this.#state.state !== "failed") {
      this.#state = { state: "failed", detail: "a write to the history failed" };
      this.#onFailure(error);
    }
    return new BusError(
      "unavailable",
      "the history could not be written; whether this was stored is unknown: publish again with the same Idempotency-Key",
      { cause: error },
    );
  }
}
