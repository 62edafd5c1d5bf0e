import type { Database, Statement } from "bun:sqlite";
import { SQLiteError } from "bun:sqlite";
import { BusError } from "../bus/errors.ts";
import { Event, formatTime } from "../bus/event.ts";
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
} from "../bus/ports.ts";
import type { TopicSummary } from "../protocol/event.ts";
import { checksumOf, HistoryReader } from "./history.ts";
import { IdempotencyKeys } from "./idempotency.ts";
import { PostingIndex } from "./posting.ts";
import { Pruner } from "./retention.ts";
import { type Series, SeriesTable } from "./series.ts";
import { type Durability, openDatabase } from "./sqlite.ts";

export type { Durability };

/** Events in one transaction, unless a single append brings more: what is committed in one go holds the loop. */
const MAX_BATCH_EVENTS = 4096;
/** Damaged ids that are remembered by name; of more than these the first ones tell enough. */
const MAX_DAMAGE_NOTES = 100;

export interface SqliteEventLogOptions {
  /** Default `fsync`. */
  durability?: Durability;
  /** Milliseconds since 1970; default the system's clock. */
  clock?: () => number;
  /** Told once of each thing that is found damaged. */
  onDamage?: (detail: string) => void;
  /** Told once when a write failed in such a way that its outcome is unknown; nothing is accepted afterwards. */
  onFailure?: (error: unknown) => void;
}

interface Pending {
  readonly drafts: readonly Draft[];
  readonly idempotencyKey: string | undefined;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: BusError) => void;
}

type Outcome = { readonly appended: Appended } | { readonly error: BusError };

/**
 * The history in one SQLite file.
 *
 * Appends that arrive in one turn of the event loop share one transaction and one fsync (group commit); a single one
 * does not wait for a timer. Ids have no holes.
 */
export class SqliteEventLog implements EventLog {
  readonly #database: Database;
  readonly #clock: () => number;
  readonly #onDamage: (detail: string) => void;
  readonly #onFailure: (error: unknown) => void;
  readonly #listeners: ((batch: readonly Event[]) => void)[] = [];
  readonly #damage = new Set<string>();
  readonly #series: SeriesTable;
  readonly #postings: PostingIndex;
  readonly #history: HistoryReader;
  readonly #pruner: Pruner;
  readonly #keys: IdempotencyKeys;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #insert: Statement;

  #pending: Pending[] = [];
  #isFlushScheduled = false;
  #pruning: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #health: Health = { state: "ok" };
  #head: number;
  #floor: number;
  #lastAtMs: number;

  /** Opens or makes the file at `path`; `:memory:` keeps nothing. Throws as `openDatabase` does. */
  constructor(path: string, options: SqliteEventLogOptions = {}) {
    this.#database = openDatabase(path, options.durability ?? "fsync");
    this.#clock = options.clock ?? Date.now;
    this.#onDamage = options.onDamage ?? (() => {});
    this.#onFailure = options.onFailure ?? (() => {});
    [this.#floor, this.#head, this.#lastAtMs] = readBounds(this.#database);
    const noteDamage = (detail: string) => this.#noteDamage(detail);
    const series = new SeriesTable(this.#database);
    const postings = new PostingIndex(this.#database, series, noteDamage);
    const history = new HistoryReader(this.#database, series, postings, this, (id) =>
      noteDamage(`event ${id} is damaged`),
    );
    this.#series = series;
    this.#postings = postings;
    this.#history = history;
    this.#pruner = new Pruner(this.#database, this, { series, postings, history });
    this.#keys = new IdempotencyKeys(this.#database);
    this.#begin = this.#database.prepare("begin immediate");
    this.#commit = this.#database.prepare("commit");
    this.#insert = this.#database.prepare("insert into event values (?, ?, ?, ?, ?)");
  }

  get head(): number {
    return this.#head;
  }

  get floor(): number {
    return this.#floor;
  }

  append(drafts: readonly Draft[], options: AppendOptions = {}): Promise<Appended> {
    if (this.#closing) return Promise.reject(new BusError("shutting_down", "the server is shutting down"));
    if (this.#health.state === "failed") return Promise.reject(unknownOutcome(undefined));
    return new Promise((resolve, reject) => {
      this.#pending.push({ drafts, idempotencyKey: options.idempotencyKey, resolve, reject });
      this.#scheduleFlush();
    });
  }

  onCommit(listener: (batch: readonly Event[]) => void): void {
    this.#listeners.push(listener);
  }

  read(filter: Filter, after: number, limit: number): Page {
    return this.#history.read(filter, after, limit);
  }

  readBack(filter: Filter, before: number, limit: number): Page {
    return this.#history.readBack(filter, before, limit);
  }

  get(id: number): Event | undefined {
    return this.#history.get(id);
  }

  idBefore(timeMs: number): number {
    return this.#history.idBefore(timeMs);
  }

  topics(): TopicSummary[] {
    const summaries: TopicSummary[] = [];
    for (const [topic, series] of this.#series.topics()) {
      let count = 0;
      let lastId = 0;
      for (const one of series.values()) {
        count += one.count;
        lastId = Math.max(lastId, one.lastId);
      }
      if (count > 0)
        summaries.push({ topic, count, last_id: lastId, last_at: formatTime(this.#history.timeAt(lastId)) });
    }
    return summaries.sort((a, b) => (a.topic < b.topic ? -1 : 1));
  }

  prune(rules: Retention, nowMs: number): Promise<number> {
    const run = this.#pruning.then(async () => {
      this.#keys.expire(nowMs);
      return this.#pruner.prune(rules, nowMs, () => this.#closing !== undefined);
    });
    this.#pruning = run.catch(() => {});
    return run;
  }

  size(): StorageSize {
    return this.#pruner.size();
  }

  health(): Health {
    if (this.#closing) return { state: "closed", detail: "the log is closed" };
    if (this.#health.state === "full") this.#probe();
    if (this.#health.state === "ok" && this.#damage.size > 0) {
      return { state: "damaged", detail: `${[...this.#damage].join("; ")}: run "eventbus check"` };
    }
    return this.#health;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For the pruner only. */
  advanceFloor(floor: number): void {
    this.#floor = floor;
  }

  async #close(): Promise<void> {
    while (this.#pending.length > 0) this.#flush();
    await this.#pruning;
    await this.#postings.idle();
    this.#database.close();
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.#flush();
    });
  }

  /** Commits what has collected, tells the listeners, then answers the publishers. */
  #flush(): void {
    if (this.#pending.length === 0) return;
    const group = this.#takeGroup();
    const batch: Event[] = [];
    const created: Series[] = [];
    let outcomes: Outcome[];
    try {
      outcomes = this.#write(group, batch, created);
    } catch (error) {
      this.#rollBack(created);
      const failure = this.#failure(error);
      for (const pending of group) pending.reject(failure);
      return;
    }
    this.#accept(batch);
    for (const [index, pending] of group.entries()) {
      const outcome = outcomes[index];
      if (outcome && "appended" in outcome) pending.resolve(outcome.appended);
      else pending.reject(outcome?.error ?? unknownOutcome(undefined));
    }
  }

  #takeGroup(): Pending[] {
    let events = 0;
    let count = 0;
    for (const { drafts } of this.#pending) {
      events += drafts.length;
      if (count > 0 && events > MAX_BATCH_EVENTS) break;
      count++;
    }
    const group = this.#pending.slice(0, count);
    this.#pending = this.#pending.slice(count);
    if (this.#pending.length > 0) this.#scheduleFlush();
    return group;
  }

  #write(group: readonly Pending[], batch: Event[], created: Series[]): Outcome[] {
    const nowMs = Math.max(this.#clock(), this.#lastAtMs);
    const createdAt = formatTime(nowMs);
    this.#begin.run();
    const outcomes = group.map(({ drafts, idempotencyKey }): Outcome => {
      if (idempotencyKey !== undefined) {
        const earlier = this.#keys.find(idempotencyKey, drafts, nowMs);
        if (earlier) return earlier;
        this.#keys.remember(idempotencyKey, drafts, this.#head + batch.length + 1, nowMs);
      }
      const events = drafts.map((draft) => this.#insertOne(draft, batch, created, nowMs, createdAt));
      return { appended: { events, replayed: false } };
    });
    this.#commit.run();
    this.#lastAtMs = nowMs;
    return outcomes;
  }

  #insertOne(draft: Draft, batch: Event[], created: Series[], nowMs: number, createdAt: string): Event {
    let series = this.#series.find(draft.topic, draft.source);
    if (series === undefined) {
      series = this.#series.create(draft.topic, draft.source);
      created.push(series);
    }
    const event = new Event(this.#head + batch.length + 1, series, createdAt, draft.data);
    this.#insert.run(event.id, series.id, nowMs, checksumOf(event), draft.data);
    batch.push(event);
    return event;
  }

  #accept(batch: readonly Event[]): void {
    for (const event of batch) {
      const series = this.#series.find(event.topic, event.source);
      if (series === undefined) continue;
      series.count++;
      series.lastId = event.id;
      this.#postings.add(series, event.id);
    }
    this.#head += batch.length;
    if (this.#health.state === "full") this.#health = { state: "ok" };
    if (batch.length > 0) for (const listener of this.#listeners) listener(batch);
    if (this.#postings.needsSeal(this.#head)) {
      this.#postings.seal(this.#head, () => this.#floor).catch((error) => this.#failure(error));
    }
  }

  #rollBack(created: readonly Series[]): void {
    for (const series of created) this.#series.forget(series);
    if (this.#database.inTransaction) this.#database.run("rollback");
  }

  /** A full disk has rolled back and can recover; after any other failed write nobody knows what the disk holds. */
  #failure(error: unknown): BusError {
    if (isFull(error)) {
      this.#health = { state: "full", detail: "the disk of the history is full" };
      return new BusError("storage_full", "the disk of the history is full: nothing was published", { cause: error });
    }
    if (this.#health.state !== "failed") {
      this.#health = { state: "failed", detail: "a write to the history failed" };
      this.#onFailure(error);
    }
    return unknownOutcome(error);
  }

  /** Tries a real commit, so that a disk which has space again is noticed without a publish. */
  #probe(): void {
    try {
      this.#database.transaction(() => this.#keys.probe())();
      this.#health = { state: "ok" };
    } catch (error) {
      if (!isFull(error)) this.#failure(error);
    }
  }

  #noteDamage(detail: string): void {
    if (this.#damage.has(detail) || this.#damage.size >= MAX_DAMAGE_NOTES) return;
    this.#damage.add(detail);
    this.#onDamage(detail);
  }
}

function readBounds(database: Database): [floor: number, head: number, lastAtMs: number] {
  const meta = new Map(database.query("select name, value from meta").values() as [string, number][]);
  const prunedTo = meta.get("pruned_to") ?? 0;
  const newest = database.query("select id, created_at from event order by id desc limit 1").values()[0] as
    | [number, number]
    | undefined;
  const head = Math.max(prunedTo, newest?.[0] ?? 0);
  return [prunedTo + 1, head, Math.max(meta.get("pruned_at") ?? 0, newest?.[1] ?? 0)];
}

function isFull(error: unknown): boolean {
  return error instanceof SQLiteError && error.code === "SQLITE_FULL";
}

function unknownOutcome(cause: unknown): BusError {
  return new BusError(
    "unavailable",
    "the history could not be written; whether this event was kept is unknown: publish again with the same Idempotency-Key",
    { cause },
  );
}
