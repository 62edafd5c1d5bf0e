import type { Database } from "bun:sqlite";
import type { Lease } from "../../bus/consumers/ports.ts";
import { BusError } from "../../bus/errors.ts";
import { Meta } from "../file/meta.ts";

interface LeaseColumns {
  readonly node: string;
  readonly checksum: number;
}

/** Which node of a cluster serves the consumers, as the entries say. */
export class LeaseRow {
  readonly #database: Database;
  readonly #meta: Meta;
  #saved: Lease;
  /** As the open transaction has it. */
  #current: Lease;

  /** `revision` is the one of the file. Throws `unavailable` if the lease is damaged. */
  constructor(database: Database, revision: number) {
    this.#database = database;
    this.#meta = new Meta(database);
    this.#saved = readLease(database, revision);
    this.#current = this.#saved;
  }

  /** As of the last commit. */
  get saved(): Lease {
    return this.#saved;
  }

  /** The node takes the lease, in the open transaction. Returns false if it has another revision. */
  claim(node: string, revision: number): boolean {
    if (revision !== this.#current.revision) return false;
    this.#set(node);
    return true;
  }

  /** The node renews the lease, or gives it back. Returns false if the node does not have it. */
  renew(node: string, isLast: boolean): boolean {
    if (node === "" || node !== this.#current.node) return false;
    this.#set(isLast ? "" : node);
    return true;
  }

  committed(): void {
    this.#saved = this.#current;
  }

  rolledBack(): void {
    this.#current = this.#saved;
  }

  #set(node: string): void {
    const revision = this.#current.revision + 1;
    this.#database.run("delete from consumer_lease");
    this.#database.run("insert into consumer_lease (node, checksum) values (?, ?)", [node, checksumOf(node, revision)]);
    this.#meta.set("consumer_lease", revision);
    this.#current = { node, revision };
  }
}

/**
 * Throws `unavailable` if the lease is damaged: it would be unknown which entries about consumers are effective, and the
 * nodes would differ.
 */
export function readLease(database: Database, revision: number): Lease {
  if (revision === 0) return { node: "", revision };
  const [row] = database.query<LeaseColumns, []>("select node, checksum from consumer_lease").all();
  if (row && checksumOf(row.node, revision) === row.checksum) return { node: row.node, revision };
  throw new BusError(
    "unavailable",
    "the table consumer_lease is damaged: remove the file, and the node starts again from a copy",
  );
}

function checksumOf(node: string, revision: number): number {
  return Bun.hash.crc32(`${node},${revision}`);
}
