import type { Database, Statement } from "bun:sqlite";
import { SeriesName } from "../../bus/event.ts";
import type { Filter } from "../../bus/ports.ts";
import type { Topic } from "../../bus/topic.ts";
import type { TopicSummary } from "../../protocol/event.ts";
import type { Damage } from "../file/damage.ts";

/** A topic and a source that events share, and what is known of those events. */
export class Series extends SeriesName {
  readonly id: number;
  /** Its name is not what it was: nobody can tell which reader its events are for. */
  readonly isDamaged: boolean;
  /** What the file says of `countedTo` is not what was written: nobody can tell where its index ends. */
  readonly isEndDamaged: boolean;
  /** Events that history keeps. */
  count: number;
  lastId: number;
  /** The last id that the stored count includes. */
  countedTo: number;
  /** The last id that was added to the tail; kept by it. */
  tailId = 0;

  constructor(id: number, name: { topic: Topic; source: string }, stored: Partial<StoredState> = {}) {
    super(name.topic, name.source);
    this.id = id;
    this.isDamaged = stored.isDamaged ?? false;
    this.isEndDamaged = stored.isEndDamaged ?? false;
    this.count = stored.count ?? 0;
    this.lastId = stored.lastId ?? 0;
    this.countedTo = this.lastId;
  }

  get checksum(): number {
    return Bun.hash.crc32(`{"id":${this.id},${this.topicMember},${this.sourceMember}}`);
  }
}

/** id, topic, source, checksum, count, last_id, end_checksum. */
type StoredSeries = [number, Topic, string, number, number, number, number];

/** In the place of a checksum; no CRC-32 is negative. */
const DAMAGED_END = -1;

interface StoredState {
  readonly isDamaged: boolean;
  readonly isEndDamaged: boolean;
  readonly count: number;
  readonly lastId: number;
}

/** Which series a filter wants. Series that come later are added when it is asked for again. */
interface Selection {
  readonly series: Set<Series>;
  /** Series of smaller ids have been considered. */
  nextId: number;
  /** Removals as of which this is true. */
  readonly removals: number;
}

/**
 * Every series of the history, in memory: topics and sources are few beside events, so a pattern is matched against
 * these and never against events. Costs about 300 bytes a series.
 */
export class SeriesTable {
  readonly #byId = new Map<number, Series>();
  readonly #byTopic = new Map<string, Map<string, Series>>();
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #uncount: Statement;
  readonly #setCounted: Statement;
  readonly #selections = new WeakMap<object, Selection>();
  #removals = 0;
  #damaged = 0;
  #isEndDamaged = false;
  #nextId = 1;

  constructor(database: Database, damage: Damage) {
    this.#insert = database.prepare("insert into series values (?, ?, ?, ?, 0, 0, ?)");
    this.#delete = database.prepare("delete from series where id = ?");
    this.#uncount = database.prepare("update series set count = count - ? where id = ?");
    this.#setCounted = database.prepare(
      "update series set count = count + ?, last_id = ?, end_checksum = ? where id = ?",
    );
    const rows = database.query("select * from series order by id").values();
    for (const row of rows as StoredSeries[]) this.#addStored(row, damage);
  }

  /** Series whose names are intact. */
  get size(): number {
    return this.#byId.size - this.#damaged;
  }

  /** Names, or the ends of what is indexed, were damaged when the history was opened. */
  get hasDamaged(): boolean {
    return this.#damaged > 0 || this.#isEndDamaged;
  }

  get(id: number): Series | undefined {
    return this.#byId.get(id);
  }

  find(topic: string, source: string): Series | undefined {
    return this.#byTopic.get(topic)?.get(source);
  }

  all(): IterableIterator<Series> {
    return this.#byId.values();
  }

  /** Every topic that has events, by name. */
  summaries(timeAt: (id: number) => string): TopicSummary[] {
    const summaries: TopicSummary[] = [];
    for (const [topic, series] of this.#byTopic) {
      let count = 0;
      let lastId = 0;
      for (const one of series.values()) {
        count += one.count;
        lastId = Math.max(lastId, one.lastId);
      }
      if (count > 0) summaries.push({ topic, count, last_id: lastId, last_at: timeAt(lastId) });
    }
    return summaries.sort((a, b) => (a.topic < b.topic ? -1 : 1));
  }

  /** Makes a series, in memory and in the transaction that is open. After a rollback, call `forget`. */
  create(topic: Topic, source: string): Series {
    // Copies: a slice would keep the whole request that it was cut from in memory.
    const series = new Series(this.#nextId, { topic: structuredClone(topic), source: structuredClone(source) });
    this.#insert.run(series.id, topic, source, series.checksum, endChecksumOf(series.id, 0));
    this.#add(series);
    return series;
  }

  /** Takes the series out of the file, in the transaction that is open. After the commit, call `forget`. */
  delete(series: Series): void {
    this.#delete.run(series.id);
  }

  /** Drops the series from memory. */
  forget(series: Series): void {
    if (!this.#byId.delete(series.id)) return;
    this.#removals++;
    if (series.isDamaged) {
      this.#damaged--;
      return;
    }
    const ofTopic = this.#byTopic.get(series.topic);
    ofTopic?.delete(series.source);
    if (ofTopic?.size === 0) this.#byTopic.delete(series.topic);
  }

  /** Takes so many ids, which leave the index, from the stored count of a series, in the transaction that is open. */
  uncount(seriesId: number, removed: number): void {
    this.#uncount.run(removed, seriesId);
  }

  /** Adds ids up to `lastId` to the stored count, in the transaction that is open. An end that is damaged stays so. */
  countUpTo(series: Series, lastId: number, added: number): void {
    const checksum = series.isEndDamaged ? DAMAGED_END : endChecksumOf(series.id, lastId);
    this.#setCounted.run(added, lastId, checksum, series.id);
  }

  /** The series whose events pass the topic and source tests of the filter. */
  select(filter: Filter): ReadonlySet<Series> {
    const key = filter.source === undefined ? (filter.topics ?? this) : filter;
    const known = this.#selections.get(key);
    if (known?.removals === this.#removals) return this.#selectLater(known, filter);
    const series = new Set<Series>();
    for (const [topic, ofTopic] of this.#byTopic) {
      if (filter.topics?.matches(topic) === false) continue;
      for (const one of ofTopic.values())
        if (filter.source === undefined || one.source === filter.source) series.add(one);
    }
    this.#selections.set(key, { series, nextId: this.#nextId, removals: this.#removals });
    return series;
  }

  #selectLater(selection: Selection, filter: Filter): ReadonlySet<Series> {
    for (; selection.nextId < this.#nextId; selection.nextId++) {
      const series = this.#byId.get(selection.nextId);
      if (series === undefined || filter.topics?.matches(series.topic) === false) continue;
      if (filter.source === undefined || series.source === filter.source) selection.series.add(series);
    }
    return selection.series;
  }

  #addStored(row: StoredSeries, damage: Damage): void {
    const [id, topic, source, checksum, count, lastId, endChecksum] = row;
    const isDamaged = new Series(id, { topic, source }).checksum !== checksum;
    if (isDamaged) damage.note(`series ${id}: checksum mismatch, its topic or source is damaged`);
    const isEndDamaged = endChecksumOf(id, lastId) !== endChecksum;
    if (isEndDamaged) {
      this.#isEndDamaged = true;
      damage.note(`series ${id}: checksum mismatch, the end of its index is damaged`);
    }
    const stored = { isDamaged, isEndDamaged, count: countOf(count), lastId: countOf(lastId) };
    this.#add(new Series(id, { topic, source }, stored));
  }

  #add(series: Series): void {
    this.#nextId = Math.max(this.#nextId, series.id + 1);
    this.#byId.set(series.id, series);
    if (series.isDamaged) {
      this.#damaged++;
      return;
    }
    const ofTopic = this.#byTopic.get(series.topic);
    if (ofTopic) ofTopic.set(series.source, series);
    else this.#byTopic.set(series.topic, new Map([[series.source, series]]));
  }
}

/** CRC-32 of where the index of a series ends. */
export function endChecksumOf(id: number, lastId: number): number {
  return Bun.hash.crc32(`${id},${lastId}`);
}

/** Damage can put anything in the place of a number. */
function countOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
