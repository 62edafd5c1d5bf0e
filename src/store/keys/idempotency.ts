import type { Database, Statement } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import { Event, formatTime, SeriesName } from "../../bus/event.ts";
import type { Appended, Draft } from "../../bus/ports.ts";
import type { Damage } from "../file/damage.ts";
import { nextTurn } from "../file/next-turn.ts";

/** How long a key is remembered at the least, in milliseconds. */
const REMEMBERED_MS = 10 * 60 * 1000;
/** Keys forgotten in one turn of the loop: about 2 ms of work. */
const SLICE_KEYS = 500;
/** No publisher can use the empty key. */
const PROBE_KEY = "";
const PROBE_BYTES = 64 * 1024;

export interface KeyRow {
  readonly key: string;
  readonly fingerprint: Uint8Array;
  readonly first_id: number;
  readonly created_at: number;
  readonly checksum: number;
}

/** What was published under which `Idempotency-Key`, kept beside the events so that it survives a restart. */
export class IdempotencyKeys {
  readonly #damage: Damage;
  readonly #find: Statement<KeyRow>;
  readonly #insert: Statement;
  readonly #expire: Statement;

  constructor(database: Database, damage: Damage) {
    this.#damage = damage;
    this.#find = database.prepare<KeyRow, [string]>("select * from idempotency_key where key = ?");
    this.#insert = database.prepare("insert or replace into idempotency_key values (?, ?, ?, ?, ?)");
    this.#expire = database.prepare(
      `delete from idempotency_key where key in
         (select key from idempotency_key where created_at < ? order by created_at limit ${SLICE_KEYS})`,
    );
  }

  /**
   * What the earlier call under this key committed, or undefined when there was none within ten minutes.
   *
   * The events are made again from the drafts, which the fingerprint proves to be the same: so they are known even
   * when retention has removed them. With other drafts the outcome is the error `idempotency_conflict`; when what is
   * known of the key is damaged, it is `internal`.
   */
  find(key: string, drafts: readonly Draft[], nowMs: number): { appended: Appended } | { error: BusError } | undefined {
    const row = this.#find.get(key);
    if (row === null) return undefined;
    if (!isKeyIntact(row)) return { error: this.#damagedKey() };
    if (row.created_at < nowMs - REMEMBERED_MS) return undefined;
    if (!fingerprintOf(drafts).equals(row.fingerprint)) {
      const detail = "this Idempotency-Key was used with another body in the last ten minutes: use a new key";
      return { error: new BusError("idempotency_conflict", detail) };
    }
    const createdAt = formatTime(row.created_at);
    const events = drafts.map(
      ({ topic, source, data }, index) =>
        new Event(row.first_id + index, new SeriesName(topic, source), createdAt, data),
    );
    return { appended: { events, replayed: true } };
  }

  /** Notes the key in the transaction that is open. */
  remember(key: string, drafts: readonly Draft[], firstId: number, nowMs: number): void {
    this.#write(key, fingerprintOf(drafts), firstId, nowMs);
  }

  /** Forgets the keys that are old enough, a slice a turn of the loop. Rejects with what SQLite threw. */
  async expire(nowMs: number, isClosing: () => boolean): Promise<void> {
    while (!isClosing()) {
      const { changes } = this.#expire.run(nowMs - REMEMBERED_MS);
      if (changes < SLICE_KEYS) return;
      await nextTurn();
    }
  }

  /** Writes a row of nothing, in the transaction that is open, to find out whether the disk takes it. It expires. */
  probe(): void {
    this.#write(PROBE_KEY, Buffer.alloc(PROBE_BYTES), 0, 0);
  }

  #write(key: string, fingerprint: Buffer, firstId: number, createdAtMs: number): void {
    this.#insert.run(key, fingerprint, firstId, createdAtMs, checksumOf(key, fingerprint, firstId, createdAtMs));
  }

  #damagedKey(): BusError {
    this.#damage.note("an idempotency key does not match its checksum");
    const detail = "what is known of this Idempotency-Key is damaged on disk: whether it was used is not known";
    return new BusError("internal", detail);
  }
}

export function isKeyIntact({ key, fingerprint, first_id, created_at, checksum }: KeyRow): boolean {
  return fingerprint instanceof Uint8Array && checksumOf(key, fingerprint, first_id, created_at) === checksum;
}

function checksumOf(key: string, fingerprint: Uint8Array, firstId: number, createdAtMs: number): number {
  return Bun.hash.crc32(fingerprint, Bun.hash.crc32(`${firstId},${createdAtMs},${key},`));
}

/** SHA-256 of the topics, sources and data; each ends with a NUL, which none of them can hold. */
function fingerprintOf(drafts: readonly Draft[]): Buffer {
  const hash = new Bun.CryptoHasher("sha256");
  for (const { topic, source, data } of drafts) hash.update(`${topic}\0${JSON.stringify(source)}\0${data}\0`);
  return hash.digest() as Buffer;
}
