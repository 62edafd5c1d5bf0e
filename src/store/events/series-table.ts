import type { Database, Statement } from "bun:sqlite";
import { parseTopic, type Topic } from "../../bus/topic.ts";
import type { Damage } from "../file/damage.ts";
import { paced } from "../file/pace.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import { PackedNames } from "./packed-names.ts";
import { Series } from "./series.ts";
import { MAX_CACHED_SERIES, SeriesCache } from "./series-cache.ts";
import { ENDS_PER_ROW, endsRowOf, type SeriesNaming, seriesChecksumOf } from "./series-row.ts";

/** Maximum number of rows to read and verify while the history is opened. With more series, they are read on demand. */
const MAX_LOADED_AT_OPENING = 10_000;
/** Bounds of the rows that are verified at a time; in between, the number follows the time that the last ones took. */
const MIN_VERIFIED = 16;
const MAX_VERIFIED = 512;
/** Milliseconds of a slice of the verification. While the loop is idle, every request waits for one of them. */
const VERIFY_MS = 0.5;

/** Removals that are remembered, so that selections can follow; a selection further behind starts again. */
const MAX_REMOVED = 65_536;

/** Maximum number of damaged rows at the end that are skipped to find the newest intact series. */
const MAX_DAMAGED = 1000;

/** Damage can replace a text by anything. */
const UNNAMED = parseTopic("damaged");

type SeriesRow = [id: number, topic: Topic, source: string, checksum: number];

/** Returns the series in a range of ids, both inclusive, that are known to have events. */
export type ExpectedSeries = (first: number, last: number) => Iterable<number>;

/** A range of topics in an index. */
export interface NameRange {
  /** Topics from this one on, inclusive. */
  readonly from: string;
  /** Topics below this one; omitted: no end. */
  readonly below: string | undefined;
}

/** SQLite sorts every blob above every text. */
const ABOVE_EVERY_TEXT = new Uint8Array(0);

export interface SeriesTableOptions {
  readonly database: Database;
  readonly damage: Damage;
  /** Maximum number of series kept in memory. */
  readonly maxCached?: number | undefined;
}

/**
 * The series of the history. Those in use are in memory; the others are found by the indexes of the table.
 *
 * A damaged row or index could hide events from searches by topic. Once one is found, `isTrusted` is false until the
 * file is opened again, and events are found by walking along all events.
 */
export class SeriesTable {
  readonly #damage: Damage;
  readonly #cache: SeriesCache;
  /** Those that were verified while the history was open. */
  readonly #verified = new PackedNames();
  readonly #maxLoaded: number;
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #byId: Statement;
  readonly #byName: Statement;
  readonly #byTopic: Statement;
  readonly #nthByTopic: Statement;
  readonly #containing: Statement;
  readonly #bySource: Statement;
  readonly #rows: Statement;
  readonly #unindexed: Statement;
  readonly #nextRow: Statement<{ id: number }, [number]>;
  #isTrusted = true;
  /** False once SQLite failed to read some of the series. */
  #isReadable = true;
  #removed: number[] = [];
  #removedBefore = 0;
  #nextId: number;
  #verifiedTo = 0;
  #verifiedAtATime = MIN_VERIFIED;
  /** The newest series in the file when it was opened. */
  readonly #lastStoredId: number;
  /** Higher ids that are not assigned: those of damaged rows, or of series without a row. */
  readonly #strayIds = new Set<number>();
  /** Rows read because their series was not in memory, since the history was opened. */
  misses = 0;

  constructor({ database, damage, maxCached = MAX_CACHED_SERIES }: SeriesTableOptions) {
    this.#damage = damage;
    this.#cache = new SeriesCache(maxCached);
    this.#maxLoaded = Math.min(MAX_LOADED_AT_OPENING, maxCached);
    this.#insert = database.prepare("insert into series (id, topic, source, checksum) values (?, ?, ?, ?)");
    this.#delete = database.prepare("delete from series where id = ?");
    this.#byId = database.prepare("select id, topic, source, checksum from series where id = ?");
    this.#byName = database.prepare("select id from series where topic = ? and source = ? order by id");
    this.#byTopic = database.prepare(
      `select id, topic, source from series indexed by series_by_topic
        where (topic, source) >= (?, ?) and topic < ? order by topic, source limit ?`,
    );
    this.#nthByTopic = database.prepare(
      `select id, topic, source from series indexed by series_by_topic
        where (topic, source) >= (?, ?) and topic < ? order by topic, source limit 1 offset ?`,
    );
    this.#containing = database.prepare(
      `select id, topic, source from series indexed by series_by_topic
        where (topic, source) >= (?, ?) and (topic, source) < (?, ?) and instr(topic, ?) order by topic, source limit ?`,
    );
    this.#bySource = database.prepare(
      `select id, topic, source from series indexed by series_by_source
        where source = ? and topic >= ? and topic < ? order by topic limit ?`,
    );
    this.#rows = database.prepare(
      "select id, topic, source, checksum from series not indexed where id > ? order by id limit ?",
    );
    // The plus makes SQLite read the id from the entry, as later reads do, instead of searching by it.
    this.#unindexed = database.prepare(
      `select id from series as one not indexed where id > ? and id <= ? and not (
         exists (select 1 from series as other indexed by series_by_topic
                  where other.topic = one.topic and other.source = one.source and +other.id = one.id)
         and exists (select 1 from series as other indexed by series_by_source
                  where other.source = one.source and other.topic = one.topic and +other.id = one.id))`,
    );
    this.#nextRow = database.prepare("select id from series not indexed where id > ? order by id limit 1");
    const newest = database
      .query(`select id, topic, source, checksum from series not indexed order by id desc limit ${MAX_DAMAGED}`)
      .values() as SeriesRow[];
    const intact = newest.findIndex(isIntact);
    const [lastStoredId = 0] = newest[Math.max(intact, 0)] ?? [];
    this.#lastStoredId = lastStoredId;
    for (const row of newest.slice(0, Math.max(intact, 0))) this.#strayIds.add(this.#verify(row).id);
    this.#nextId = this.#lastStoredId + 1;
  }

  /**
   * Reads and verifies the rows, if they are few. `expected` returns the series in a range of ids, both inclusive, that
   * are known to have events, so that their rows cannot be missing.
   */
  load(expected: ExpectedSeries): void {
    for (const id of expected(this.#lastStoredId + 1, Number.MAX_SAFE_INTEGER)) {
      if (!this.#strayIds.has(id)) this.distrust(`series ${id}: missing`);
      this.#strayIds.add(id);
    }
    this.#nextId = this.#idAfter(this.#lastStoredId);
    const rows = this.#reading(() => this.#rows.values(0, this.#maxLoaded + 1) as SeriesRow[]);
    if (!this.#isReadable || rows.length > this.#maxLoaded) return;
    for (const row of rows) this.#cache.add(this.#verify(row));
    this.#advance(rows, this.#lastStoredId, expected);
    this.#cache.complete();
  }

  /** False once damage was found that may hide a series from a search by name. */
  get isTrusted(): boolean {
    return this.#isTrusted;
  }

  /** Every series of the file is in memory. */
  get isComplete(): boolean {
    return this.#cache.isComplete;
  }

  /** The id of the next series. All others are smaller, and no id is reused while the history is open. */
  get nextId(): number {
    return this.#nextId;
  }

  /** The series in memory, in no particular order; the iteration may continue while others are added. */
  cached(): IterableIterator<Series> {
    return this.#cache.all();
  }

  /** The series with this id, which may be damaged; undefined if the file has none. */
  get(id: number): Series | undefined {
    const cached = this.#cache.get(id);
    if (cached || this.#cache.isComplete) return cached;
    const verified = this.#verified.get(id);
    if (verified) return this.#load(this.#named(id, verified.topic, verified.source));
    this.misses++;
    const [row] = this.#reading(() => this.#byId.values(id) as SeriesRow[]);
    return row && this.#load(this.#verify(row));
  }

  /** The intact series with this name. */
  find(topic: string, source: string): Series | undefined {
    const cached = this.#cache.names.find(topic, source);
    if (cached) cached.isUsed = true;
    if (cached || this.#cache.isComplete) return cached;
    this.misses++;
    for (const [id] of this.#byName.values(topic, source) as [number][]) {
      this.#cache.miss();
      const series = this.get(id);
      if (series?.topic === topic && series.source === source && !series.isDamaged) return series;
      this.distrust(`series ${id}: an index names it ${JSON.stringify(topic)}, its row does not`);
    }
    return undefined;
  }

  /** Creates a series, in memory and in the open transaction. After a rollback, call `forget`. */
  create(topic: Topic, source: string): Series {
    // A slice would keep the whole text that it was cut from.
    const series = this.#named(this.#nextId, structuredClone(topic), source);
    this.#insert.run(series.id, topic, source, seriesChecksumOf(series));
    this.#nextId = this.#idAfter(series.id);
    this.#cache.add(series);
    return series;
  }

  /** Deletes the series from the file, in the open transaction. After the commit, call `removed`. */
  delete(id: number): void {
    this.#delete.run(id);
  }

  /** The series was deleted from the file. */
  removed(id: number): void {
    this.forget(id);
    this.#verified.remove(id);
    if (this.#removed.length >= MAX_REMOVED) {
      this.#removedBefore += this.#removed.length;
      this.#removed = [];
    }
    this.#removed.push(id);
  }

  /** Drops the series from memory. */
  forget(id: number): void {
    const series = this.#cache.get(id);
    if (series) this.#cache.remove(series);
  }

  /**
   * The names of a range after `after`, by topic and source in code point order, at most `limit` of them; with a
   * source, only those of that source.
   */
  namesIn(
    range: NameRange,
    after: SeriesNaming | undefined,
    source: string | undefined,
    limit: number,
  ): SeriesNaming[] {
    const below = range.below ?? ABOVE_EVERY_TEXT;
    const read = () =>
      source === undefined
        ? this.#byTopic.values(after?.topic ?? range.from, after ? textAfter(after.source) : "", below, limit)
        : this.#bySource.values(source, after ? textAfter(after.topic) : range.from, below, limit);
    return this.#namings(read);
  }

  /**
   * Of the next `limit` names of a range after `after`, the first `most` whose topics contain a text, and the last name
   * that was looked at; undefined at the end of the range.
   */
  namesWith(
    text: string,
    range: NameRange,
    after: SeriesNaming | undefined,
    { limit, most }: { readonly limit: number; readonly most: number },
  ): { readonly names: SeriesNaming[]; readonly last: SeriesNaming | undefined } {
    const below = range.below ?? ABOVE_EVERY_TEXT;
    const from = [after?.topic ?? range.from, after ? textAfter(after.source) : ""];
    const [last] = this.#namings(() => this.#nthByTopic.values(...from, below, limit - 1));
    const to = last ? [last.topic, textAfter(last.source)] : [below, ""];
    const names = this.#namings(() => this.#containing.values(...from, ...to, text, most));
    return { names, last: names.length < most ? last : names.at(-1) };
  }

  #namings(read: () => unknown[][]): SeriesNaming[] {
    const names: SeriesNaming[] = [];
    for (const [id, topic, source] of this.#reading(() => read() as [number, unknown, unknown][])) {
      if (typeof topic === "string" && typeof source === "string") names.push({ id, topic, source });
      else this.distrust(`series ${id}: an index has no name of it`);
    }
    return names;
  }

  /**
   * Verifies some more of the rows that the file had when it was opened; returns false if none are left. Their names stay
   * in memory while there is room: reading one by its id later takes three times as long as the event that needs it.
   */
  verifyNext(expected: ExpectedSeries): boolean {
    if (this.#verifiedTo >= this.#lastStoredId) return false;
    const startMs = performance.now();
    const limit = this.#verifiedAtATime;
    const rows = this.#reading(() => this.#rows.values(this.#verifiedTo, limit) as SeriesRow[]);
    if (!this.#isReadable) return false;
    for (const row of rows) {
      const series = this.#verify(row);
      if (!series.isDamaged) this.#verified.add(series);
    }
    const [lastRead = 0] = rows.at(-1) ?? [];
    const isEnd = rows.length < limit || lastRead > this.#lastStoredId;
    this.#advance(rows, isEnd ? this.#lastStoredId : lastRead, expected);
    this.#verifiedAtATime = paced(limit, performance.now() - startMs, [MIN_VERIFIED, MAX_VERIFIED], VERIFY_MS);
    return true;
  }

  /** The first series ids of the rows of series_end that contain the series of the file. */
  *endsRows(): Generator<number> {
    for (let id = 0; ; ) {
      const next = this.#nextRow.get(id);
      if (next === null) return;
      const firstId = endsRowOf(next.id);
      yield firstId;
      id = firstId + ENDS_PER_ROW - 1;
    }
  }

  /** How much of that is done: 0 to 1. */
  get verified(): number {
    return this.#lastStoredId === 0 ? 1 : this.#verifiedTo / this.#lastStoredId;
  }

  /** Number of series removed since the history was opened. */
  get removals(): number {
    return this.#removedBefore + this.#removed.length;
  }

  /** The series removed after the first `removals` removals; undefined if these are no longer remembered. */
  removedSince(removals: number): readonly number[] | undefined {
    return removals < this.#removedBefore ? undefined : this.#removed.slice(removals - this.#removedBefore);
  }

  /** Reports damage. From now on events are found by walking along all of them. */
  distrust(detail: string): void {
    this.#isTrusted = false;
    this.#damage.note(detail);
  }

  /** Returns nothing, and reports damage, if SQLite cannot read the rows. */
  #reading<T>(read: () => T[]): T[] {
    try {
      return read();
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      this.#isReadable = false;
      this.distrust(`the series cannot be read: ${error.message}`);
      return [];
    }
  }

  #advance(rows: readonly SeriesRow[], last: number, expected: ExpectedSeries): void {
    for (const [id] of this.#reading(() => this.#unindexed.values(this.#verifiedTo, last) as [number][])) {
      this.distrust(`series ${id}: an index does not have it, or names it otherwise`);
    }
    const present = new Set(rows.map(([id]) => id));
    for (const id of expected(this.#verifiedTo + 1, last)) {
      if (!present.has(id)) this.distrust(`series ${id}: missing`);
    }
    this.#verifiedTo = last;
  }

  #idAfter(id: number): number {
    let next = id + 1;
    while (this.#strayIds.has(next)) next++;
    return next;
  }

  #load(series: Series): Series {
    this.#cache.add(series);
    return series;
  }

  #verify(row: SeriesRow): Series {
    const [id, topic, source] = row;
    const isDamaged = !isIntact(row);
    if (isDamaged) this.distrust(`series ${id}: checksum mismatch, its topic or source is damaged`);
    return isDamaged ? new Series(id, UNNAMED, "", true) : this.#named(id, topic, source);
  }

  #named(id: number, topic: Topic, source: string): Series {
    const { names } = this.#cache;
    return new Series(id, names.sharedTopic(topic), names.sharedSource(source));
  }
}

function isIntact([id, topic, source, checksum]: SeriesRow): boolean {
  return seriesChecksumOf({ id, topic, source }) === checksum;
}

/** The next text in order. */
function textAfter(text: string): string {
  return `${text}\0`;
}
