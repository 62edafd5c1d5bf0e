import type { Database, Statement } from "bun:sqlite";

/** Ids of series above this do not fit into a block. */
export const MAX_SERIES_ID = 0xffff_ffff;

/** The series ids of consecutive events; undefined when the row is damaged. */
export interface Block {
  readonly firstId: number;
  readonly seriesIds: Uint32Array | undefined;
}

/** Whose the events of the unfinished segments are, in blocks, so that opening need not read each event. */
export class TailTable {
  readonly #select: Statement;
  readonly #insert: Statement;
  readonly #delete: Statement;

  constructor(database: Database) {
    this.#select = database.prepare("select first_id, series, checksum from tail order by first_id");
    this.#insert = database.prepare("insert or replace into tail values (?, ?, ?)");
    this.#delete = database.prepare("delete from tail where first_id <= ?");
  }

  /** Every block, oldest first. */
  all(): Block[] {
    return (this.#select.values() as [number, unknown, number][]).map(decode);
  }

  /** Writes a block in the transaction that is open, in the place of one that has the same first id. */
  insert(firstId: number, seriesIds: Uint32Array): void {
    const bytes = new Uint8Array(seriesIds.buffer);
    this.#insert.run(firstId, bytes, checksumOf(firstId, bytes));
  }

  /** Drops the blocks that begin at this id or below it, in the transaction that is open. */
  deleteUpTo(id: number): void {
    this.#delete.run(id);
  }
}

/** A block as reports name it. */
export function nameOfBlock(firstId: number): string {
  return `the block of the index that begins with event ${firstId}`;
}

function decode([firstId, bytes, checksum]: [number, unknown, number]): Block {
  const isIntact = bytes instanceof Uint8Array && bytes.length % 4 === 0 && checksumOf(firstId, bytes) === checksum;
  // Copied, for 32-bit numbers have to begin at an even address. Every machine that Bun runs on is little-endian.
  return { firstId, seriesIds: isIntact ? new Uint32Array(bytes.slice().buffer) : undefined };
}

function checksumOf(firstId: number, seriesIds: Uint8Array): number {
  return Bun.hash.crc32(seriesIds, Bun.hash.crc32(`${firstId},`));
}
