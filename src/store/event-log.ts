import type { Database } from "bun:sqlite";
import { BusError } from "../bus/errors.ts";
import { Event, formatTime } from "../bus/event.ts";
import { Meter } from "../bus/meter.ts";
import type {
  Appended,
  AppendOptions,
  Draft,
  EventLog,
  Filter,
  Health,
  Page,
  Retention,
  StorageSize,
  TopicMatcher,
  TopicPage,
  TopicQuery,
} from "../bus/ports.ts";
import { type Append, AppendQueue, type Outcome } from "./append-queue.ts";
import { CommitListeners } from "./commit-listeners.ts";
import { BackupFile } from "./copy/backup-file.ts";
import { copyHistory } from "./copy/history-copy.ts";
import { readBounds } from "./events/bounds.ts";
import { EventTable } from "./events/event-table.ts";
import { PostingIndex, SEAL_SLICE } from "./events/posting.ts";
import { SEGMENT_SIZE, Segments } from "./events/segment.ts";
import { type Series, SeriesTable } from "./events/series.ts";
import { Damage } from "./file/damage.ts";
import { Meta, readMeta } from "./file/meta.ts";
import { openError } from "./file/open-error.ts";
import { type Durability, type OpenFile, openDatabase } from "./file/sqlite.ts";
import { Transactor } from "./file/transactor.ts";
import { WriteHealth } from "./file/write-health.ts";
import { HistoryReader } from "./history.ts";
import { IdempotencyKeys } from "./keys/idempotency.ts";
import { TokenTable } from "./keys/tokens.ts";
import { Pruner } from "./retention.ts";

export type { Durability };

export interface SqliteEventLogOptions {
  /** Default `fsync`. */
  durability?: Durability;
  /** Milliseconds since 1970; default the system's clock. */
  clock?: () => number;
  /** Told once of each thing that is found damaged. */
  onDamage?: (detail: string) => void;
  /** Told of commits that opening left out, which may have been acknowledged. */
  onLoss?: (detail: string) => void;
  /** Told once when a write failed in such a way that its outcome is unknown; nothing is accepted afterwards. */
  onFailure?: (error: unknown) => void;
  /** Told of commits and prunes; default one of its own. */
  meter?: Meter;
}

/** What only tests change. */
export interface StoreInternals {
  /** Ids of a segment in a file that is made; default and most 65,536. */
  segmentSize?: number;
  /** Postings written in one transaction. */
  sealSlice?: number;
  /** Puts something between the log and its connection. */
  connect?: (database: Database) => Database;
}

/** Events of one transaction and their series, in id order. */
interface Batch {
  readonly events: Event[];
  readonly series: Series[];
  /** Series that the transaction made. */
  readonly created: Series[];
}

/**
 * The history in one SQLite file.
 *
 * Appends that arrive in one turn of the event loop share one transaction and one fsync (group commit). Ids have no
 * holes. After `close` everything throws, or rejects with, `shutting_down`.
 */
export class SqliteEventLog implements EventLog {
  /** Who may do what, kept in the same file. */
  readonly tokens: TokenTable;
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #database: Database;
  readonly #clock: () => number;
  readonly #listeners = new CommitListeners();
  readonly #damage: Damage;
  readonly #health: WriteHealth;
  readonly #queue = new AppendQueue((group) => this.#commit(group));
  readonly #transactor: Transactor;
  readonly #meta: Meta;
  readonly #series: SeriesTable;
  readonly #events: EventTable;
  readonly #postings: PostingIndex;
  readonly #history: HistoryReader;
  readonly #pruner: Pruner;
  readonly #keys: IdempotencyKeys;
  readonly #meter: Meter;

  #pruning: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #head: number;
  #floor: number;
  #lastAtMs: number;
  /** The head that the file knows of without looking at its events. */
  #savedHead: number;

  /** Opens or makes the file at `path`; `:memory:` keeps nothing. Throws as `openDatabase` does. */
  constructor(path: string, options: SqliteEventLogOptions = {}, internals: StoreInternals = {}) {
    this.#path = path;
    this.#clock = options.clock ?? Date.now;
    this.#meter = options.meter ?? new Meter();
    this.#damage = new Damage(options.onDamage ?? (() => {}));
    this.#health = new WriteHealth(this.#damage, options.onFailure ?? (() => {}));
    this.#file = openDatabase(path, options.durability ?? "fsync", internals.segmentSize ?? SEGMENT_SIZE);
    if (this.#file.loss !== undefined) options.onLoss?.(this.#file.loss);
    try {
      const database = internals.connect?.(this.#file.database) ?? this.#file.database;
      const meta = readMeta(database);
      [this.#floor, this.#head, this.#lastAtMs] = readBounds(database, meta, this.#damage);
      this.#savedHead = meta.head;
      const damage = this.#damage;
      const segments = new Segments(meta.segment_size);
      const transactor = new Transactor(database);
      const series = new SeriesTable(database, damage);
      const events = new EventTable(database, series, (id, reason) => damage.note(`event ${id}: ${reason}`));
      const parts = {
        database,
        segments,
        transactor,
        bounds: this,
        log: this,
        series,
        events,
        damage,
        meter: this.#meter,
      };
      const { sealSlice = SEAL_SLICE } = internals;
      const postings = new PostingIndex({ ...parts, sealSlice }, meta.indexed_to);
      const history = new HistoryReader({ ...parts, postings });
      this.#pruner = new Pruner({ ...parts, postings, history });
      this.#keys = new IdempotencyKeys(database, damage);
      this.tokens = new TokenTable({ database, damage, write: (work) => this.#writeNow(work) }, meta.tokens);
      this.#database = database;
      this.#meta = new Meta(database);
      this.#transactor = transactor;
      this.#series = series;
      this.#events = events;
      this.#postings = postings;
      this.#history = history;
    } catch (error) {
      this.#file.close();
      throw openError(path, error);
    }
  }

  get head(): number {
    return this.#head;
  }

  get floor(): number {
    return this.#floor;
  }

  get recentFrom(): number {
    return this.#head + 1;
  }

  append(drafts: readonly Draft[], options: AppendOptions = {}): Promise<Appended> {
    if (this.#closing) return Promise.reject(shuttingDown());
    const { idempotencyKey, isAbandoned } = options;
    return this.#queue.add({ drafts, idempotencyKey, isAbandoned });
  }

  onCommit(listener: (batch: readonly Event[]) => void): void {
    this.#listeners.add(listener);
  }

  read(filter: Filter, after: number, limit: number): Page {
    return this.#reader.read(filter, after, limit);
  }

  readBack(filter: Filter, before: number, limit: number): Page {
    return this.#reader.readBack(filter, before, limit);
  }

  get(id: number, topics?: TopicMatcher): Event | undefined {
    return this.#reader.get(id, topics);
  }

  idBefore(timeMs: number): number {
    return this.#reader.idBefore(timeMs);
  }

  topics({ topics, after = "", limit }: TopicQuery): TopicPage {
    const reader = this.#reader;
    const all = this.#series.summaries((id) => formatTime(reader.timeAt(id)));
    const found = all.filter(({ topic }) => topic > after && topics?.matches(topic) !== false);
    const page = found.slice(0, limit);
    return { topics: page, end: page.at(-1)?.topic ?? after, done: page.length === found.length };
  }

  async prune(rules: Retention, nowMs: number): Promise<number> {
    if (this.#closing) throw shuttingDown();
    const run = this.#pruning.then(() => this.#prune(rules, nowMs));
    this.#pruning = run.catch(() => {});
    return run;
  }

  /**
   * A copy of the history as it is about now; publishing goes on, and pruning waits. Rejects with `storage_full` when
   * there is no space for it, with the signal's reason once that is aborted, and with `shutting_down` once the log is closing.
   */
  async backup(signal: AbortSignal): Promise<BackupFile> {
    if (this.#closing) throw shuttingDown();
    const run = this.#pruning.then(() => this.#backUp(signal));
    this.#pruning = run.catch(() => {});
    return run;
  }

  size(): StorageSize {
    if (this.#isClosed) throw shuttingDown();
    const { usedBytes, fileBytes } = this.#pruner.size();
    return { usedBytes, fileBytes: fileBytes + this.#file.walBytes() };
  }

  /** Appends that wait for their commit. */
  get queueDepth(): number {
    return this.#queue.depth;
  }

  get walBytes(): number {
    return this.#file.walBytes();
  }

  health(): Health {
    if (this.#closing) return { state: "closed", detail: "the log is closed" };
    if (this.#health.current.state === "full") this.#probe();
    const { current } = this.#health;
    if (current.state !== "ok" || !this.#damage.isFound) return current;
    return { state: "damaged", detail: `${this.#damage.summary}: run "eventbus check"` };
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#closing = promise;
      resolve(this.#close());
    }
    return this.#closing;
  }

  /** For the pruner only. */
  advanceFloor(floor: number): void {
    this.#floor = floor;
  }

  get #reader(): HistoryReader {
    if (this.#isClosed) throw shuttingDown();
    return this.#history;
  }

  async #close(): Promise<void> {
    this.#queue.drain();
    await this.#pruning;
    await this.#postings.stop();
    this.#saveHead();
    this.#isClosed = true;
    this.#file.close();
  }

  /** With the newest id noted, its event cannot be lost unnoticed, nor its id given again. */
  #saveHead(): void {
    if (this.#head === this.#savedHead || this.#health.current.state !== "ok") return;
    try {
      this.#transactor.run(() => this.#meta.set("head", this.#head));
    } catch (error) {
      this.#health.failure(error);
    }
  }

  async #prune(rules: Retention, nowMs: number): Promise<number> {
    const isClosing = () => this.#closing !== undefined;
    try {
      this.#health.requireWritable();
      const startMs = performance.now();
      await this.#keys.expire(nowMs, isClosing);
      const pruned = await this.#pruner.prune(rules, nowMs, isClosing);
      this.#meter.prune(pruned, performance.now() - startMs);
      return pruned;
    } catch (error) {
      throw this.#health.failure(error);
    }
  }

  #backUp(signal: AbortSignal): Promise<BackupFile> {
    const checkGoOn = () => {
      signal.throwIfAborted();
      if (this.#closing) throw shuttingDown();
    };
    checkGoOn();
    return BackupFile.make(this.#path, this.size().usedBytes, (path) =>
      copyHistory(this.#database, this, path, { checkGoOn }),
    );
  }

  /** Commits the group, then tells the listeners. Throws the `BusError` for all of it. */
  #commit(group: readonly Append[]): readonly Outcome[] {
    this.#health.requireWritable();
    const batch: Batch = { events: [], series: [], created: [] };
    const nowMs = Math.max(Math.trunc(this.#clock()), this.#lastAtMs);
    const startMs = performance.now();
    let outcomes: readonly Outcome[];
    try {
      outcomes = this.#transactor.run(() => this.#writeAll(group, batch, nowMs));
    } catch (error) {
      for (const series of batch.created) this.#series.forget(series);
      throw this.#health.failure(error);
    }
    const commitMs = performance.now() - startMs;
    if (batch.events.length > 0) this.#meter.commit(batch.events.length, commitMs, this.#transactor.commitStatementMs);
    this.#accept(batch, nowMs);
    return outcomes;
  }

  #writeAll(group: readonly Append[], batch: Batch, nowMs: number): readonly Outcome[] {
    const outcomes = group.map((append) => this.#write(append, batch, nowMs));
    this.#postings.writeBlocks(batch.series);
    return outcomes;
  }

  #write({ drafts, idempotencyKey }: Append, batch: Batch, nowMs: number): Outcome {
    if (idempotencyKey !== undefined) {
      const earlier = this.#keys.find(idempotencyKey, drafts, nowMs);
      if (earlier) return earlier;
      this.#keys.remember(idempotencyKey, drafts, this.#head + batch.events.length + 1, nowMs);
    }
    return { appended: { events: drafts.map((draft) => this.#writeOne(draft, batch, nowMs)), replayed: false } };
  }

  #writeOne({ topic, source, data }: Draft, batch: Batch, nowMs: number): Event {
    let series = this.#series.find(topic, source);
    if (series === undefined) {
      series = this.#series.create(topic, source);
      batch.created.push(series);
    }
    const event = new Event(this.#head + batch.events.length + 1, series, formatTime(nowMs), data);
    this.#events.insert(event, series, nowMs);
    batch.events.push(event);
    batch.series.push(series);
    return event;
  }

  #accept({ events, series }: Batch, nowMs: number): void {
    if (events.length === 0) return;
    this.#health.recover();
    for (const one of series) {
      one.count++;
      one.lastId = ++this.#head;
    }
    this.#postings.addAll(series);
    this.#lastAtMs = nowMs;
    this.#listeners.call(events);
    if (this.#postings.needsSeal) this.#postings.seal().catch((error) => this.#health.failure(error));
  }

  #writeNow(work: () => void): void {
    if (this.#closing) throw shuttingDown();
    this.#health.requireWritable();
    try {
      this.#transactor.run(work);
      this.#health.recover();
    } catch (error) {
      throw this.#health.failure(error);
    }
  }

  /** Tries a real commit, so that a disk which has space again is noticed without a publish. */
  #probe(): void {
    try {
      this.#transactor.run(() => this.#keys.probe());
      this.#health.recover();
    } catch (error) {
      this.#health.failure(error);
    }
  }
}

function shuttingDown(): BusError {
  return new BusError("shutting_down", "the history is closed");
}
