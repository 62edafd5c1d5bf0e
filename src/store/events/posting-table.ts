import type { Database, Statement } from "bun:sqlite";

/** The ids of one series in one segment, ascending. */
export interface Posting {
  readonly segment: number;
  readonly offsets: ArrayLike<number>;
}

/** A posting as it stands in the file, and the segment of the same series' posting before it. */
export interface StoredPosting extends Posting {
  readonly previous: number;
}

/** In the place of `previous` when there is no posting before. */
export const NO_SEGMENT = -1;

/** Rows that are dropped in one go. */
const SLICE_ROWS = 512;

/** The rows of the index, a segment after another. Throws `PostingDamage` for one that does not match its checksum. */
export class PostingTable {
  readonly #get: Statement;
  readonly #previous: Statement;
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #below: Statement;
  readonly #deleteTo: Statement;

  constructor(database: Database) {
    const one = "from posting where segment = ? and series_id = ?";
    this.#get = database.prepare(`select segment, previous, checksum, offsets ${one}`);
    this.#previous = database.prepare(`select previous ${one}`);
    this.#insert = database.prepare("insert or replace into posting values (?, ?, ?, ?, ?)");
    this.#delete = database.prepare(`delete ${one}`);
    this.#below = database.prepare(
      `select segment, series_id, octet_length(offsets) / 2 from posting where segment < ?
        order by segment, series_id limit ${SLICE_ROWS}`,
    );
    this.#deleteTo = database.prepare("delete from posting where (segment, series_id) <= (?, ?)");
  }

  get(seriesId: number, segment: number): StoredPosting | undefined {
    return decode(seriesId, this.#get.values(segment, seriesId)[0]);
  }

  /** What `get` would answer as `previous`, without reading the offsets, and unchecked. */
  previous(seriesId: number, segment: number): number | undefined {
    return this.#previous.values(segment, seriesId)[0]?.[0] as number | undefined;
  }

  /** Writes a posting in the transaction that is open; one that stands there already is written again. */
  insert(seriesId: number, segment: number, previous: number, offsets: readonly number[]): void {
    const bytes = new Uint8Array(new Uint16Array(offsets).buffer);
    this.#insert.run(segment, seriesId, previous, checksumOf(seriesId, segment, previous, bytes), bytes);
  }

  delete(seriesId: number, segment: number): void {
    this.#delete.run(segment, seriesId);
  }

  /** Drops postings below a segment, the oldest ones, as many as fit into a slice; answers whose, and how many ids each had. */
  deleteBelow(segment: number): [seriesId: number, ids: number][] {
    const rows = this.#below.values(segment) as [number, number, number][];
    const last = rows.at(-1);
    if (last) this.#deleteTo.run(last[0], last[1]);
    return rows.map(([, seriesId, ids]) => [seriesId, ids]);
  }
}

/** The index does not hold what was written to it. */
export class PostingDamage extends Error {}

/** A row of the columns segment, previous, checksum, offsets as a posting. Throws `PostingDamage`. */
export function decode(seriesId: number, row: unknown[] | undefined): StoredPosting | undefined {
  if (row === undefined) return undefined;
  const [segment, previous, checksum, bytes] = row as [number, number, number, Uint8Array];
  if (!(bytes instanceof Uint8Array) || checksumOf(seriesId, segment, previous, bytes) !== checksum) {
    throw new PostingDamage(`the index of series ${seriesId} in segment ${segment}: checksum mismatch`);
  }
  // Copied, for 16-bit numbers have to begin at an even address. Every machine that Bun runs on is little-endian.
  return { segment, previous, offsets: new Uint16Array(bytes.slice().buffer) };
}

function checksumOf(seriesId: number, segment: number, previous: number, offsets: Uint8Array): number {
  return Bun.hash.crc32(offsets, Bun.hash.crc32(`${seriesId},${segment},${previous},`));
}
