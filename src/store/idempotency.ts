import type { Database, Statement } from "bun:sqlite";
import { BusError } from "../bus/errors.ts";
import { Event, formatTime, SeriesName } from "../bus/event.ts";
import type { Appended, Draft } from "../bus/ports.ts";

/** How long a key is remembered at the least, in milliseconds. */
const REMEMBERED_MS = 10 * 60 * 1000;

/** What was published under which `Idempotency-Key`, kept beside the events so that it survives a restart. */
export class IdempotencyKeys {
  readonly #find: Statement;
  readonly #insert: Statement;
  readonly #expire: Statement;

  constructor(database: Database) {
    this.#find = database.prepare(
      "select fingerprint, first_id, created_at from idempotency_key where key = ? and created_at > ?",
    );
    this.#insert = database.prepare("insert or replace into idempotency_key values (?, ?, ?, ?)");
    this.#expire = database.prepare("delete from idempotency_key where created_at <= ?");
  }

  /**
   * What the earlier call under this key committed, or undefined when there was none within ten minutes.
   *
   * The events are made again from the drafts, which the fingerprint proves to be the same: so they are known even
   * when retention has removed them. With other drafts the outcome is the error `idempotency_conflict`.
   */
  find(key: string, drafts: readonly Draft[], nowMs: number): { appended: Appended } | { error: BusError } | undefined {
    const row = this.#find.values(key, nowMs - REMEMBERED_MS)[0] as [Uint8Array, number, number] | undefined;
    if (row === undefined) return undefined;
    const [fingerprint, firstId, createdAtMs] = row;
    if (!fingerprintOf(drafts).equals(fingerprint)) {
      const detail = "this Idempotency-Key was used with another body in the last ten minutes: use a new key";
      return { error: new BusError("idempotency_conflict", detail) };
    }
    const createdAt = formatTime(createdAtMs);
    const events = drafts.map(
      ({ topic, source, data }, index) => new Event(firstId + index, new SeriesName(topic, source), createdAt, data),
    );
    return { appended: { events, replayed: true } };
  }

  /** Notes the key in the transaction that is open. */
  remember(key: string, drafts: readonly Draft[], firstId: number, nowMs: number): void {
    this.#insert.run(key, fingerprintOf(drafts), firstId, nowMs);
  }

  expire(nowMs: number): void {
    this.#expire.run(nowMs - REMEMBERED_MS);
  }

  /** Writes and takes back a page of nothing, to find out whether the disk takes it. */
  probe(): void {
    this.#insert.run(PROBE_KEY, new Uint8Array(PROBE_BYTES), 0, 0);
  }
}

const PROBE_KEY = "";
const PROBE_BYTES = 64 * 1024;

/** SHA-256 of the topics, sources and data; each ends with a NUL, which none of them can hold. */
function fingerprintOf(drafts: readonly Draft[]): Buffer {
  const hash = new Bun.CryptoHasher("sha256");
  for (const { topic, source, data } of drafts) hash.update(`${topic}\0${JSON.stringify(source)}\0${data}\0`);
  return hash.digest() as Buffer;
}
