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

/** The rows of the index. Throws `PostingDamage` for one that does not match its checksum. */
export class PostingTable {
  readonly #up: Statement;
  readonly #down: Statement;
  readonly #previousUp: Statement;
  readonly #insert: Statement;
  readonly #deleteBelow: Statement;
  readonly #delete: Statement;

  constructor(database: Database) {
    const columns = "select segment, previous, checksum, offsets from posting where series_id = ?";
    this.#up = database.prepare(`${columns} and segment >= ? order by segment limit 1`);
    this.#down = database.prepare(`${columns} and segment <= ? order by segment desc limit 1`);
    this.#previousUp = database.prepare(
      "select previous from posting where series_id = ? and segment >= ? order by segment limit 1",
    );
    this.#insert = database.prepare("insert or replace into posting values (?, ?, ?, ?, ?)");
    this.#deleteBelow = database.prepare("delete from posting where series_id = ? and segment < ?");
    this.#delete = database.prepare("delete from posting where series_id = ?");
  }

  /** The first posting of the series in `segment` or above it. */
  up(seriesId: number, segment: number): StoredPosting | undefined {
    return decode(seriesId, this.#up.values(seriesId, segment)[0]);
  }

  /** The last posting of the series in `segment` or below it. */
  down(seriesId: number, segment: number): StoredPosting | undefined {
    return decode(seriesId, this.#down.values(seriesId, segment)[0]);
  }

  /** What `up` would answer as `previous`, without reading the offsets. */
  previousUp(seriesId: number, segment: number): number | undefined {
    return this.#previousUp.values(seriesId, segment)[0]?.[0] as number | undefined;
  }

  /** Writes a posting in the transaction that is open; one that stands there already is written again. */
  insert(seriesId: number, segment: number, previous: number, offsets: readonly number[]): void {
    const bytes = new Uint8Array(new Uint16Array(offsets).buffer);
    this.#insert.run(seriesId, segment, previous, checksumOf(seriesId, segment, previous, bytes), bytes);
  }

  /** Drops the postings of a series below a segment, in the transaction that is open. */
  deleteBelow(seriesId: number, segment: number): void {
    this.#deleteBelow.run(seriesId, segment);
  }

  /** Drops every posting of a series, in the transaction that is open. */
  delete(seriesId: number): void {
    this.#delete.run(seriesId);
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
