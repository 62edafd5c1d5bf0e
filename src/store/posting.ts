import type { Database, Statement } from "bun:sqlite";
import { endOf, idAt, offsetIn, SEGMENT_SIZE, segmentOf } from "./segment.ts";
import type { Series, SeriesTable } from "./series.ts";

/** The ids of one series in one segment, ascending. */
export interface Posting {
  readonly segment: number;
  readonly offsets: ArrayLike<number>;
}

/** Postings written in one transaction: about 2 ms of work. */
const SEAL_SLICE = 256;

/**
 * Which events belong to a series: an inverted index written a segment at a time.
 *
 * Publishing must only ever append, or random index pages cost more than the events: so the ids of the newest,
 * unfinished segments are kept in memory, and a segment that is full is written at once, sorted by series. After a
 * crash the unfinished part is read again from the events, at most two segments of them.
 */
export class PostingIndex {
  readonly #database: Database;
  readonly #series: SeriesTable;
  readonly #onDamage: (detail: string) => void;
  /** Unfinished segments, oldest first. */
  readonly #tail = new Map<number, Map<Series, number[]>>();
  #indexedTo: number;
  #sealing: Promise<void> | undefined;

  readonly #nextUp: Statement;
  readonly #nextDown: Statement;
  readonly #insert: Statement;
  readonly #deleteUpTo: Statement;
  readonly #countSeries: Statement;
  readonly #setIndexedTo: Statement;

  constructor(database: Database, series: SeriesTable, onDamage: (detail: string) => void) {
    this.#database = database;
    this.#series = series;
    this.#onDamage = onDamage;
    const columns = "select segment, checksum, offsets from posting where series_id = ?";
    this.#nextUp = database.prepare(`${columns} and segment >= ? order by segment limit 1`);
    this.#nextDown = database.prepare(`${columns} and segment <= ? order by segment desc limit 1`);
    this.#insert = database.prepare("insert or replace into posting values (?, ?, ?, ?)");
    this.#deleteUpTo = database.prepare("delete from posting where series_id = ? and segment <= ?");
    this.#countSeries = database.prepare("update series set count = count + ?, last_id = ? where id = ?");
    this.#setIndexedTo = database.prepare("update meta set value = ? where name = 'indexed_to'");
    this.#indexedTo = Number(database.query("select value from meta where name = 'indexed_to'").values()[0]?.[0]);
    this.#readTail();
  }

  /** Notes a committed event. */
  add(series: Series, id: number): void {
    const segment = segmentOf(id);
    const postings = this.#tail.get(segment) ?? new Map<Series, number[]>();
    this.#tail.set(segment, postings);
    const offsets = postings.get(series);
    if (offsets) offsets.push(offsetIn(segment, id));
    else postings.set(series, [offsetIn(segment, id)]);
  }

  /** The first posting of the series in `segment` or above it. */
  up(series: Series, segment: number): Posting | undefined {
    if (idAt(segment, 0) <= this.#indexedTo) {
      const stored = this.#stored(this.#nextUp, series, segment);
      if (stored) return stored;
    }
    for (const [tailSegment, postings] of this.#tail) {
      const offsets = tailSegment >= segment ? postings.get(series) : undefined;
      if (offsets) return { segment: tailSegment, offsets };
    }
    return undefined;
  }

  /** The last posting of the series in `segment` or below it. */
  down(series: Series, segment: number): Posting | undefined {
    for (const [tailSegment, postings] of [...this.#tail].reverse()) {
      const offsets = tailSegment <= segment ? postings.get(series) : undefined;
      if (offsets) return { segment: tailSegment, offsets };
    }
    return this.#stored(this.#nextDown, series, segment);
  }

  /** Writes the segments that are full, a slice a turn of the loop. `floor` is the oldest id that is kept. */
  seal(head: number, floor: () => number): Promise<void> {
    this.#sealing ??= this.#sealFull(head, floor).finally(() => {
      this.#sealing = undefined;
    });
    return this.#sealing;
  }

  /** True when a segment is full and waits to be written. */
  needsSeal(head: number): boolean {
    return this.#sealing === undefined && head >= this.#indexedTo + SEGMENT_SIZE;
  }

  /** Resolves when no segment is being written. */
  async idle(): Promise<void> {
    await this.#sealing?.catch(() => {});
  }

  /** Drops the postings of a series that lie wholly below `floor`, in the transaction that is open. */
  deleteBelow(series: Series, floor: number): void {
    this.#deleteUpTo.run(series.id, segmentOf(floor) - 1);
  }

  async #sealFull(head: number, floor: () => number): Promise<void> {
    while (this.#indexedTo + SEGMENT_SIZE <= head) {
      const segment = segmentOf(this.#indexedTo + 1);
      const postings = [...(this.#tail.get(segment) ?? [])];
      for (let start = 0; start < postings.length; start += SEAL_SLICE) {
        const slice = postings.slice(start, start + SEAL_SLICE);
        this.#database.transaction(() => {
          for (const [series, offsets] of slice) this.#sealOne(series, segment, offsets, floor());
        })();
        await nextTurn();
      }
      this.#setIndexedTo.run(endOf(segment));
      this.#indexedTo = endOf(segment);
      this.#tail.delete(segment);
      await nextTurn();
    }
  }

  #sealOne(series: Series, segment: number, offsets: readonly number[], floor: number): void {
    const lastOffset = offsets.at(-1) ?? 0;
    const lastId = idAt(segment, lastOffset);
    // A seal that a crash cut short is done again: the series that it reached are counted already.
    if (series.countedTo >= lastId || this.#series.get(series.id) !== series) return;
    const kept = offsets.filter((offset) => idAt(segment, offset) >= floor);
    const bytes = encodeOffsets(kept);
    if (kept.length > 0) this.#insert.run(series.id, segment, checksumOf(series.id, segment, bytes), bytes);
    this.#countSeries.run(kept.length, lastId, series.id);
    series.countedTo = lastId;
  }

  #stored(statement: Statement, series: Series, segment: number): Posting | undefined {
    const row = statement.values(series.id, segment)[0] as [number, number, Uint8Array] | undefined;
    if (row === undefined) return undefined;
    const [found, checksum, bytes] = row;
    if (checksum !== checksumOf(series.id, found, bytes)) {
      this.#onDamage(`the index of segment ${found} is damaged`);
      return { segment: found, offsets: this.#readAgain(series, found) };
    }
    return { segment: found, offsets: decodeOffsets(bytes) };
  }

  /** What a damaged posting should hold, from the events themselves. */
  #readAgain(series: Series, segment: number): number[] {
    const rows = this.#database
      .query("select id from event where id between ? and ? and series_id = ? order by id")
      .values(idAt(segment, 0), endOf(segment), series.id);
    return rows.map(([id]) => offsetIn(segment, Number(id)));
  }

  #readTail(): void {
    const rows = this.#database
      .query("select id, series_id from event where id > ? order by id")
      .values(this.#indexedTo) as [number, number][];
    for (const [id, seriesId] of rows) {
      const series = this.#series.get(seriesId);
      if (series === undefined) this.#onDamage(`event ${id} is damaged`);
      else {
        if (id > series.countedTo) series.count++;
        series.lastId = id;
        this.add(series, id);
      }
    }
  }
}

/** Every machine that Bun runs on is little-endian, so the numbers go to the disk as they lie in memory. */
function encodeOffsets(offsets: readonly number[]): Uint8Array {
  return new Uint8Array(Uint16Array.from(offsets).buffer);
}

function decodeOffsets(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(bytes.slice().buffer);
}

function checksumOf(seriesId: number, segment: number, offsets: Uint8Array): number {
  return Bun.hash.crc32(offsets, Bun.hash.crc32(`${seriesId},${segment},`));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
