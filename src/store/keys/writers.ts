import type { Database, Statement } from "bun:sqlite";
import type { Damage } from "../file/damage.ts";
import { Meta } from "../file/meta.ts";

/**
 * How long a node is remembered after its last entry, in milliseconds of the entries' time. A repeat comes within
 * minutes, as no node keeps sending an entry for longer.
 */
const REMEMBERED_MS = 24 * 60 * 60 * 1000;

/** The columns of {@link WriterRow}. */
const WRITER_COLUMNS = "node, number, last_at, checksum";

interface WriterRow {
  readonly node: string;
  readonly number: number;
  readonly last_at: number;
  readonly checksum: number;
}

type Last = Pick<WriterRow, "number" | "last_at">;

/** The last entry that was adopted from each node of a cluster, so that none is adopted twice. */
export class Writers {
  readonly #upsert: Statement;
  readonly #delete: Statement;
  readonly #meta: Meta;
  readonly #stored = new Map<string, Last>();
  /** The last entries of the open transaction. */
  readonly #accepted = new Map<string, Last>();
  /** Nodes that the open transaction forgets. */
  #expired: string[] = [];

  /** `expected`: the number of nodes that the file should contain. */
  constructor(database: Database, damage: Damage, expected: number) {
    this.#upsert = database.prepare(`insert or replace into entry_writer (${WRITER_COLUMNS}) values (?, ?, ?, ?)`);
    this.#delete = database.prepare("delete from entry_writer where node = ?");
    this.#meta = new Meta(database);
    for (const { node, number, last_at } of readWriters(database, damage, expected)) {
      this.#stored.set(node, { number, last_at });
    }
  }

  /** Returns whether this is not a repeat; then it counts as the last entry of its node. */
  accept(node: string, number: number, atMs: number): boolean {
    if (number <= ((this.#accepted.get(node) ?? this.#stored.get(node))?.number ?? 0)) return false;
    this.#accepted.set(node, { number, last_at: atMs });
    return true;
  }

  /** Writes what was accepted, in the open transaction. After its commit, call `committed`; else `rolledBack`. */
  write(): void {
    const added = [...this.#accepted].filter(([node]) => !this.#stored.has(node));
    for (const [, { last_at }] of added) this.#expire(last_at - REMEMBERED_MS);
    for (const [node, { number, last_at }] of this.#accepted) {
      this.#upsert.run(node, number, last_at, checksumOf({ node, number, last_at }));
    }
    if (added.length > 0) this.#meta.set("writers", this.#stored.size - this.#expired.length + added.length);
  }

  committed(): void {
    for (const node of this.#expired) this.#stored.delete(node);
    for (const [node, last] of this.#accepted) this.#stored.set(node, last);
    this.rolledBack();
  }

  rolledBack(): void {
    this.#expired = [];
    this.#accepted.clear();
  }

  #expire(beforeMs: number): void {
    for (const [node, { last_at }] of this.#stored) {
      if (last_at >= beforeMs || this.#accepted.has(node) || this.#expired.includes(node)) continue;
      this.#delete.run(node);
      this.#expired.push(node);
    }
  }
}

/** The intact rows. The others, and missing ones, are reported. */
export function readWriters(database: Database, damage: Damage, expected: number): WriterRow[] {
  const rows = database.query<WriterRow, []>(`select ${WRITER_COLUMNS} from entry_writer`).all();
  if (rows.length !== expected) damage.note(`the last entries of ${rows.length} of ${expected} nodes are present`);
  return rows.filter((row) => {
    if (checksumOf(row) === row.checksum) return true;
    damage.note(`the last entry of node ${JSON.stringify(row.node)}: checksum mismatch`);
    return false;
  });
}

function checksumOf({ node, number, last_at }: Omit<WriterRow, "checksum">): number {
  return Bun.hash.crc32(`${node},${number},${last_at}`);
}
