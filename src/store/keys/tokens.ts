import type { Database, Statement } from "bun:sqlite";
import type { TokenChange, TokenRecord, TokenStore } from "../../bus/access/token-record.ts";
import { BusError } from "../../bus/errors.ts";
import type { Damage } from "../file/damage.ts";
import { Meta } from "../file/meta.ts";

/** The columns of {@link TokenRow}. */
export const TOKEN_COLUMNS =
  "name, hash, publish, subscribe, consume, admin, monitor, created_at, expires_at, checksum";

export interface TokenRow {
  readonly name: string;
  readonly hash: Uint8Array;
  readonly publish: string;
  readonly subscribe: string;
  readonly consume: string;
  readonly admin: number;
  readonly monitor: number;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly checksum: number;
}

export interface TokenTableOptions {
  readonly database: Database;
  readonly damage: Damage;
  /** Runs the work in a transaction and commits it durably. Throws the `BusError` for any failure. */
  readonly write: (work: () => void) => void;
  /** Number of tokens that the file should contain. */
  readonly expected: number;
}

/**
 * The tokens in the history file, beside the events.
 *
 * `insert` and `delete` are parts of a transaction of the caller: after its commit, call `committed`; after a rollback,
 * `rolledBack`.
 */
export class TokenTable implements TokenStore {
  readonly #write: (work: () => void) => void;
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #admins: Statement;
  readonly #meta: Meta;
  readonly #records: readonly TokenRecord[];
  readonly #listeners: ((change: TokenChange) => void)[] = [];
  /** Changes of the open transaction. */
  #changes: TokenChange[] = [];
  #isUsed: boolean;
  /** Number of tokens, those of the open transaction included. */
  #count: number;

  constructor({ database, damage, write, expected }: TokenTableOptions) {
    this.#write = write;
    this.#insert = database.prepare(
      `insert into token (${TOKEN_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
    );
    this.#delete = database.prepare("delete from token where name = ?");
    this.#admins = database.prepare(
      "select name from token where admin = 1 and (expires_at is null or expires_at > ?) limit 2",
    );
    this.#meta = new Meta(database);
    const rows = database.query<TokenRow, []>(`select ${TOKEN_COLUMNS} from token`).all();
    this.#count = rows.length;
    this.#isUsed = rows.length > 0 || expected > 0;
    if (rows.length !== expected) damage.note(`${rows.length} of ${expected} tokens are present`);
    this.#records = rows.flatMap((row) => {
      if (isTokenIntact(row)) return [recordOf(row)];
      damage.note("a token does not match its checksum: it is not accepted");
      return [];
    });
  }

  get isUsed(): boolean {
    return this.#isUsed;
  }

  /** The tokens that were in the file when it was opened. */
  all(): readonly TokenRecord[] {
    return this.#records;
  }

  onChange(listener: (change: TokenChange) => void): void {
    this.#listeners.push(listener);
  }

  async add(record: TokenRecord): Promise<boolean> {
    return this.#change(() => this.insert(record));
  }

  async remove(name: string): Promise<boolean> {
    return this.#change(() => this.delete(name));
  }

  /** Stores a token in the open transaction; returns false if there is one with that name. */
  insert(record: TokenRecord): boolean {
    const row = {
      name: record.name,
      hash: Buffer.from(record.hash, "hex"),
      publish: JSON.stringify(record.publish),
      subscribe: JSON.stringify(record.subscribe),
      consume: JSON.stringify(record.consume),
      admin: Number(record.isAdmin),
      monitor: Number(record.isMonitor),
      created_at: record.createdMs,
      expires_at: record.expiresMs ?? null,
    };
    if (this.#insert.run(...Object.values(row), checksumOf(row)).changes === 0) return false;
    this.#count++;
    this.#meta.set("tokens", this.#count);
    this.#changes.push({ added: record });
    return true;
  }

  /** Removes a token in the open transaction; returns false if there is none with that name. */
  delete(name: string): boolean {
    if (this.#delete.run(name).changes === 0) return false;
    this.#count--;
    this.#meta.set("tokens", this.#count);
    this.#changes.push({ removed: name });
    return true;
  }

  /** Whether this is the only admin token that is valid at this time, in milliseconds since 1970. */
  isLastAdmin(name: string, atMs: number): boolean {
    const valid = this.#admins.values(atMs).flat();
    return valid.length === 1 && valid[0] === name;
  }

  committed(): void {
    const changes = this.#changes;
    this.#changes = [];
    for (const change of changes) {
      if ("added" in change) this.#isUsed = true;
      for (const listener of this.#listeners) listener(change);
    }
  }

  rolledBack(): void {
    for (const change of this.#changes) this.#count += "added" in change ? -1 : 1;
    this.#changes = [];
  }

  #change(work: () => boolean): boolean {
    let isChanged = false;
    try {
      this.#write(() => {
        isChanged = work();
      });
    } catch (error) {
      this.rolledBack();
      throw error;
    }
    this.committed();
    return isChanged;
  }
}

export function isTokenIntact(row: TokenRow): boolean {
  return row.hash instanceof Uint8Array && checksumOf(row) === row.checksum;
}

function recordOf(row: TokenRow): TokenRecord {
  return {
    name: row.name,
    hash: Buffer.from(row.hash).toString("hex"),
    publish: patternsOf(row.publish),
    subscribe: patternsOf(row.subscribe),
    consume: patternsOf(row.consume),
    isAdmin: row.admin === 1,
    isMonitor: row.monitor === 1,
    createdMs: row.created_at,
    expiresMs: row.expires_at ?? undefined,
  };
}

function patternsOf(json: string): string[] {
  const patterns: unknown = JSON.parse(json);
  if (Array.isArray(patterns)) return patterns.map(String);
  throw new BusError("unavailable", "a token in the file has no list of patterns");
}

function checksumOf(row: Omit<TokenRow, "checksum">): number {
  const { name, hash, publish, subscribe, consume, admin, monitor, created_at, expires_at } = row;
  const hex = Buffer.from(hash).toString("hex");
  return Bun.hash.crc32(
    JSON.stringify([name, hex, publish, subscribe, consume, admin, monitor, created_at, expires_at]),
  );
}
