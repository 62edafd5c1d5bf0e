import { BusError } from "../../bus/errors.ts";
import type { Event } from "../../bus/event.ts";
import type { Health } from "../../bus/ports.ts";
import type { Damage } from "../file/damage.ts";
import { isDamage, isFailedWrite, isFull } from "../file/sqlite-error.ts";

const OK: Health = { state: "ok" };

/**
 * Characters of a commit that needs room twice: in the write-ahead log, and in the file at the checkpoint. All smaller
 * commits that can wait for a checkpoint fit into what the reserve frees, even at three bytes a character.
 */
const LARGE_COMMIT_CHARACTERS = 256 * 1024;

/** What the last look at the file has found; undefined: nothing. */
interface FileFindings {
  /** Why a restart would not find it. */
  readonly displaced?: string | undefined;
  /** Why the commits stay in the write-ahead log. */
  readonly stuck?: string | undefined;
}

export interface WriteHealthOptions {
  readonly damage: Damage;
  /** Whether a write fails for want of room, although SQLite has not said so. */
  readonly isOutOfRoom: () => boolean;
  /** How much may still be written, in bytes. */
  readonly freeBytes: () => number;
  /** Called once, with a write whose outcome is unknown. */
  readonly onFailure: (error: unknown) => void;
  /** Called with each new finding about the file, and with undefined when it is well again. */
  readonly onAlarm: (detail: string | undefined) => void;
}

/** Whether the history can be written, by its last failure and the last look at its file. */
export class WriteHealth {
  readonly #damage: Damage;
  readonly #isOutOfRoom: () => boolean;
  readonly #freeBytes: () => number;
  readonly #onFailure: (error: unknown) => void;
  readonly #onAlarm: (detail: string | undefined) => void;
  #state: Health = OK;
  #findings: FileFindings = {};
  #alarm: string | undefined;

  constructor({ damage, isOutOfRoom, freeBytes, onFailure, onAlarm }: WriteHealthOptions) {
    this.#damage = damage;
    this.#isOutOfRoom = isOutOfRoom;
    this.#freeBytes = freeBytes;
    this.#onFailure = onFailure;
    this.#onAlarm = onAlarm;
  }

  get current(): Health {
    const { displaced, stuck } = this.#findings;
    if (this.#state.state === "failed") return this.#state;
    if (displaced !== undefined) return { state: "displaced", detail: displaced };
    if (this.#state.state === "full" || stuck === undefined) return this.#state;
    return { state: "stuck", detail: stuck };
  }

  /** Notes what a look at the file has found; an omitted finding is as before. */
  found(findings: FileFindings): void {
    this.#findings = { ...this.#findings, ...findings };
    const alarm = this.#findings.displaced ?? this.#findings.stuck;
    if (alarm === this.#alarm) return;
    this.#alarm = alarm;
    this.#onAlarm(alarm);
  }

  /** A write has succeeded. */
  recover(): void {
    if (this.#state.state === "full") this.#state = OK;
  }

  /** Throws if an earlier write failed for good, or if what is written now would be lost. */
  requireWritable(): void {
    const { displaced } = this.#findings;
    if (displaced !== undefined) throw new BusError("unavailable", `${displaced}; nothing was stored`);
    if (this.#state.state !== "failed") return;
    throw new BusError(
      "unavailable",
      "an earlier write to the history failed: it accepts no more writes, and this was not stored",
    );
  }

  /**
   * Throws if a commit of these events would leave more in the write-ahead log than the disk has room to write into the
   * file: then nothing could be removed either, and the disk would stay full.
   */
  requireRoom(stored: readonly { readonly event: Event }[]): void {
    if (sum(stored, ({ event }) => event.json.length) <= LARGE_COMMIT_CHARACTERS) return;
    if (this.#freeBytes() < 2 * sum(stored, ({ event }) => event.bytes)) throw this.#full();
  }

  /**
   * Whether this write failed because the disk is full, or the quota is used up; SQLite has then rolled back. Until a
   * write succeeds again, later ones that fail count as such, too: room that came meanwhile came too late for them.
   */
  isFull(error: unknown): boolean {
    return isFull(error) || (isFailedWrite(error) && (this.#state.state === "full" || this.#isOutOfRoom()));
  }

  /**
   * Notes a failed write and returns the error for its caller.
   *
   * A full disk, or a file with damaged structures, has rolled back. After any other error the content of the disk is
   * unknown.
   */
  failure(error: unknown): BusError {
    if (error instanceof BusError) return error;
    if (this.isFull(error)) return this.#full(error);
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

  #full(cause?: unknown): BusError {
    this.#state = { state: "full", detail: "the disk of the history is full" };
    return new BusError("storage_full", "the disk of the history is full: nothing was written", { cause });
  }
}

function sum<T>(items: readonly T[], sizeOf: (item: T) => number): number {
  return items.reduce((total, item) => total + sizeOf(item), 0);
}
