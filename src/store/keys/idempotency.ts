import type { Database, Statement } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import { Event, formatTime, SeriesName } from "../../bus/event.ts";
import type { Appended, Draft } from "../../bus/ports.ts";
import type { Damage } from "../file/damage.ts";
import { nextTurn } from "../file/next-turn.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import { KeyIndex } from "./key-index.ts";
import { fingerprintOf, isKeyIntact, KEY_COLUMNS, type KeyRow, keyChecksumOf } from "./key-row.ts";

/** How long a key is remembered, in milliseconds, unless there are too many. */
const REMEMBERED_MS = 10 * 60 * 1000;
/** Default maximum number of keys. */
export const DEFAULT_MAX_KEYS = 1_000_000;
/** Keys forgotten in one turn of the loop: about 2 ms of work. */
const SLICE_KEYS = 500;
/** Keys read in one turn of the loop: about 2 ms of work. */
const CHUNK_KEYS = 2048;
/**
 * Maximum number of keys to read while the history is opened. With more, the first publish with a key waits for the
 * rest.
 */
const MAX_READ_AT_OPENING = 20_000;
/** Keys over the limit that one transaction forgets for each key that it adds, so that the limit is soon met again. */
const FORGOTTEN_FOR_EACH = 2;
/** Consecutive rows that may be missing. With more, the number of a row is damaged. */
const MAX_MISSING_ROWS = 65_536;
/** Bytes of a row besides its key: the fingerprint, the numbers, and what SQLite adds. */
const ROW_BYTES = 64;
/** No publisher can use the empty key. */
const PROBE_KEY = "";
const PROBE_BYTES = 64 * 1024;
/** So that no client can choose keys with equal hashes. */
const SEED = Math.trunc(Math.random() * 2 ** 32);

export interface IdempotencyKeysOptions {
  readonly database: Database;
  readonly damage: Damage;
  readonly maxKeys: number;
  /** Only the newest `maxKeys` count, however late the others are forgotten: all nodes of a cluster then agree. */
  readonly isExact: boolean;
  /** Called when keys younger than ten minutes were forgotten because there were too many. */
  readonly onForgotten: (count: number) => void;
}

/**
 * The `Idempotency-Key` of each publish, stored beside the events so that it survives a restart.
 *
 * The table is only appended to, and an index in memory finds the rows: an index in the file would write a random page
 * for each key.
 */
export class IdempotencyKeys {
  readonly #damage: Damage;
  readonly #maxKeys: number;
  readonly #isExact: boolean;
  readonly #onForgotten: (count: number) => void;
  readonly #index = new KeyIndex();
  readonly #row: Statement<KeyRow>;
  readonly #chunk: Statement;
  readonly #oldest: Statement<{ id: number | null }, []>;
  readonly #insert: Statement;
  readonly #expire: Statement;
  readonly #forget: Statement;
  /** The last row that was read into the index. */
  #readTo = 0;
  #isLoaded = false;
  #loading: Promise<void> | undefined;
  /** State before the open transaction: rows from this one on are new, and rows below the other are gone. */
  #committedNext = 1;
  #keepFrom = 1;
  #forgotten = 0;

  constructor({ database, damage, maxKeys, isExact, onForgotten }: IdempotencyKeysOptions) {
    this.#damage = damage;
    this.#maxKeys = maxKeys;
    this.#isExact = isExact;
    this.#onForgotten = onForgotten;
    this.#row = database.prepare<KeyRow, [number]>(`select ${KEY_COLUMNS} from idempotency_key where id = ?`);
    this.#chunk = database.prepare(`select id, key from idempotency_key where id > ? order by id limit ${CHUNK_KEYS}`);
    this.#oldest = database.prepare("select min(id) as id from idempotency_key");
    this.#insert = database.prepare(
      `insert or replace into idempotency_key (${KEY_COLUMNS}) values (?, ?, ?, ?, ?, ?)`,
    );
    this.#expire = database.prepare(
      `delete from idempotency_key where id in (
         select id from (select id, created_at from idempotency_key order by id limit ${SLICE_KEYS})
          where created_at < ?)`,
    );
    this.#forget = database.prepare("delete from idempotency_key where id < ?");
    while (!this.#isLoaded && this.#index.size < MAX_READ_AT_OPENING) this.#readChunk();
  }

  /** Whether `find` and `remember` may be called. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Approximate size of the keys in the file, in bytes. */
  get bytes(): number {
    return this.#index.bytes + this.#index.size * ROW_BYTES;
  }

  /** Keys forgotten because there were too many, since the history was opened. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** Resolves when every key has been read; reads some of them in each turn of the loop. */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /**
   * What an earlier call with this key committed; undefined if there was none within ten minutes.
   *
   * The events are built again from the drafts, which the fingerprint proves to be the same, so they are known even if
   * retention has removed them. With other drafts the outcome is the error `idempotency_conflict`; if the row of the
   * key is damaged, it is `internal`.
   */
  find(key: string, drafts: readonly Draft[], nowMs: number): { appended: Appended } | { error: BusError } | undefined {
    const row = this.#newestOf(key);
    if (row === undefined) return undefined;
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

  /** Stores the key in the open transaction. After its commit, call `committed`; after a rollback, `rolledBack`. */
  remember(key: string, drafts: readonly Draft[], firstId: number, nowMs: number): void {
    this.#append(key, fingerprintOf(drafts), firstId, nowMs);
  }

  /** Forgets the oldest keys, in the open transaction, if there are too many. */
  forgetExcess(): void {
    const { first, next, size } = this.#index;
    const count = Math.min(size - this.#maxKeys, FORGOTTEN_FOR_EACH * (next - this.#committedNext));
    if (count <= 0) return;
    this.#keepFrom = first + count;
    this.#forget.run(this.#keepFrom);
  }

  committed(): void {
    this.#committedNext = this.#index.next;
    const forgotten = this.#keepFrom - this.#index.first;
    if (forgotten <= 0) return;
    this.#index.dropBelow(this.#keepFrom);
    this.#forgotten += forgotten;
    this.#onForgotten(forgotten);
  }

  rolledBack(): void {
    this.#index.dropFrom(this.#committedNext);
    this.#keepFrom = this.#index.first;
  }

  /** Forgets expired keys, one slice in each turn of the loop. Rejects with what SQLite threw. */
  async expire(nowMs: number, isClosing: () => boolean): Promise<void> {
    await this.load();
    while (!isClosing()) {
      const { changes } = this.#expire.run(nowMs - REMEMBERED_MS);
      this.#index.dropBelow(this.#oldest.get()?.id ?? this.#index.next);
      if (changes < SLICE_KEYS) return;
      await nextTurn();
    }
  }

  /** Writes an empty row, in the open transaction, to find out whether the disk accepts it. The row expires. */
  probe(): void {
    this.#append(PROBE_KEY, Buffer.alloc(PROBE_BYTES), 0, 0);
  }

  #newestOf(key: string): KeyRow | undefined {
    for (const id of this.#index.find(hashOf(key))) {
      if (this.#isExact && id < this.#index.next - this.#maxKeys) return undefined;
      const row = this.#row.get(id);
      if (row?.key === key) return row;
    }
    return undefined;
  }

  #append(key: string, fingerprint: Buffer, firstId: number, createdAtMs: number): void {
    const id = this.#index.next;
    const row = { id, key, fingerprint, first_id: firstId, created_at: createdAtMs };
    this.#insert.run(id, key, fingerprint, firstId, createdAtMs, keyChecksumOf(row));
    this.#index.add(hashOf(key), Buffer.byteLength(key));
  }

  async #load(): Promise<void> {
    while (!this.#isLoaded) {
      this.#readChunk();
      await nextTurn();
    }
  }

  #readChunk(): void {
    const rows = this.#chunkAfter(this.#readTo);
    for (const [id, key] of rows) this.#addStored(id, key);
    const [lastRead = this.#readTo] = rows.at(-1) ?? [];
    this.#readTo = lastRead;
    if (rows.length === CHUNK_KEYS) return;
    this.#isLoaded = true;
    this.#committedNext = this.#index.next;
  }

  /** Returns nothing if SQLite cannot read the rows: a publish repeated under a lost key may be stored twice. */
  #chunkAfter(row: number): [id: number, key: string][] {
    try {
      return this.#chunk.values(row) as [number, string][];
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      this.#damage.note(`the idempotency keys cannot be read: ${error.message}`);
      return [];
    }
  }

  #addStored(id: number, key: unknown): void {
    if (typeof key !== "string") {
      this.#damage.note("an idempotency key is not a string");
      return;
    }
    if (this.#index.size === 0) this.#index.startAt(id);
    if (id < this.#index.next || id > this.#index.next + MAX_MISSING_ROWS) {
      this.#damage.note("the number of an idempotency key is damaged");
      return;
    }
    while (this.#index.next < id) this.#index.add(0, 0);
    this.#index.add(hashOf(key), Buffer.byteLength(key));
  }

  #damagedKey(): BusError {
    this.#damage.note("an idempotency key does not match its checksum");
    const detail = "the record of this Idempotency-Key is damaged on disk: whether the key was used is unknown";
    return new BusError("internal", detail);
  }
}

function hashOf(key: string): number {
  return Bun.hash.xxHash32(key, SEED);
}
