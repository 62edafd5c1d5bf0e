import type { Database, Statement } from "bun:sqlite";
import type { TokenRecord, TokenStore } from "../../bus/access/tokens.ts";
import { BusError } from "../../bus/errors.ts";
import type { Damage } from "../file/damage.ts";
import { Meta } from "../file/meta.ts";

/** The columns of {@link TokenRow}. */
export const TOKEN_COLUMNS = "name, hash, publish, subscribe, admin, monitor, created_at, expires_at, checksum";

export interface TokenRow {
  readonly name: string;
  readonly hash: Uint8Array;
  readonly publish: string;
  readonly subscribe: string;
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

/** The tokens in the history file, beside the events. */
export class TokenTable implements TokenStore {
  readonly #write: (work: () => void) => void;
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #meta: Meta;
  readonly #records: readonly TokenRecord[];
  #isUsed: boolean;
  #count: number;

  constructor({ database, damage, write, expected }: TokenTableOptions) {
    this.#write = write;
    this.#insert = database.prepare(`insert into token (${TOKEN_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#delete = database.prepare("delete from token where name = ?");
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

  async add(record: TokenRecord): Promise<void> {
    const row = {
      name: record.name,
      hash: Buffer.from(record.hash, "hex"),
      publish: JSON.stringify(record.publish),
      subscribe: JSON.stringify(record.subscribe),
      admin: Number(record.isAdmin),
      monitor: Number(record.isMonitor),
      created_at: record.createdMs,
      expires_at: record.expiresMs ?? null,
    };
    this.#change(() => {
      this.#insert.run(...Object.values(row), checksumOf(row));
      return 1;
    });
    this.#isUsed = true;
  }

  async remove(name: string): Promise<boolean> {
    return this.#change(() => -this.#delete.run(name).changes) < 0;
  }

  /** `work` returns, as this does, by how much the number of tokens changes. */
  #change(work: () => number): number {
    let difference = 0;
    this.#write(() => {
      difference = work();
      this.#meta.set("tokens", this.#count + difference);
    });
    this.#count += difference;
    return difference;
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
  const { name, hash, publish, subscribe, admin, monitor, created_at, expires_at } = row;
  const hex = Buffer.from(hash).toString("hex");
  return Bun.hash.crc32(JSON.stringify([name, hex, publish, subscribe, admin, monitor, created_at, expires_at]));
}
