import type { Database } from "bun:sqlite";
import type { Event } from "../bus/event.ts";
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
import { AppendQueue } from "./append-queue.ts";
import { CommitListeners } from "./commit-listeners.ts";
import { Committer, shuttingDown } from "./committer.ts";
import { BackupFile } from "./copy/backup-file.ts";
import { copyHistory } from "./copy/history-copy.ts";
import { DirectWrites } from "./direct-writes.ts";
import type { LogInternals, SqliteEventLogOptions } from "./event-log-options.ts";
import { Damage } from "./file/damage.ts";
import { openError } from "./file/open-error.ts";
import { type Durability, type OpenFile, openDatabase } from "./file/sqlite.ts";
import { WriteHealth } from "./file/write-health.ts";
import { DEFAULT_MAX_KEYS } from "./keys/idempotency.ts";
import { TokenTable } from "./keys/tokens.ts";
import { type OpenHistory, openHistory } from "./open-history.ts";
import { Pruner } from "./retention.ts";
import { Upkeep } from "./upkeep.ts";

export type { Durability, LogInternals, SqliteEventLogOptions };

/**
 * The history in one SQLite file.
 *
 * Appends that arrive in one turn of the event loop share one transaction and one fsync (group commit). Ids are
 * consecutive. After `close`, every call throws or rejects with `shutting_down`.
 */
export class SqliteEventLog implements EventLog {
  /** The tokens, which are in the same file. */
  readonly tokens: TokenTable;
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #database: Database;
  readonly #listeners = new CommitListeners();
  readonly #damage: Damage;
  readonly #health: WriteHealth;
  readonly #queue: AppendQueue;
  readonly #upkeep: Upkeep;
  readonly #history: OpenHistory;
  readonly #writes: DirectWrites;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  /** Opens or creates the file at `path`; `:memory:` keeps nothing. Throws as `openDatabase` does. */
  constructor(path: string, options: SqliteEventLogOptions = {}, internals: LogInternals = {}) {
    const { clock = Date.now, maxKeys = DEFAULT_MAX_KEYS, meter = new Meter() } = options;
    this.#path = path;
    this.#damage = new Damage(options.onDamage ?? (() => {}));
    this.#health = new WriteHealth(this.#damage, options.onFailure ?? (() => {}));
    this.#file = openDatabase(path, options.durability ?? "fsync");
    try {
      this.#database = internals.connect?.(this.#file.database) ?? this.#file.database;
      const shared = { database: this.#database, damage: this.#damage, health: this.#health, meter };
      const { onKeysForgotten = () => {}, onFull = () => {} } = options;
      const history = openHistory({ ...shared, maxKeys, onKeysForgotten, internals });
      this.#history = history;
      const committer = new Committer({ ...shared, ...history, clock, listeners: this.#listeners });
      this.#queue = new AppendQueue((group) => committer.commit(group));
      const pruner = new Pruner({ ...shared, ...history, onFull });
      this.#upkeep = new Upkeep({ ...shared, ...history, pruner });
      this.#writes = new DirectWrites({ ...shared, ...history, savedHead: history.stored.head });
      const write = (work: () => void) => {
        if (this.#closing) throw shuttingDown();
        this.#writes.run(work);
      };
      this.tokens = new TokenTable({ ...shared, write, expected: history.stored.tokens });
    } catch (error) {
      this.#file.close();
      throw openError(path, error);
    }
    this.#upkeep.start();
    for (const warning of this.#file.warnings) options.onWarning?.(warning);
  }

  get head(): number {
    return this.#history.bounds.head;
  }

  get floor(): number {
    return this.#history.bounds.floor;
  }

  get recentFrom(): number {
    return Math.min(Math.max(this.#history.recent.first, this.floor), this.head + 1);
  }

  append(drafts: readonly Draft[], options: AppendOptions = {}): Promise<Appended> {
    if (this.#closing) return Promise.reject(shuttingDown());
    const { idempotencyKey, isAbandoned } = options;
    const add = () => this.#queue.add({ drafts, idempotencyKey, isAbandoned });
    return idempotencyKey === undefined || this.#history.keys.isLoaded ? add() : this.#history.keys.load().then(add);
  }

  onCommit(listener: (batch: readonly Event[]) => void): void {
    this.#listeners.add(listener);
  }

  read(filter: Filter, after: number, limit: number): Page {
    return this.#open.history.read(filter, after, limit);
  }

  readBack(filter: Filter, before: number, limit: number): Page {
    return this.#open.history.readBack(filter, before, limit);
  }

  get(id: number, topics?: TopicMatcher): Event | undefined {
    return this.#open.history.get(id, topics);
  }

  idBefore(timeMs: number): number {
    return this.#open.history.idBefore(timeMs);
  }

  topics(query: TopicQuery): TopicPage {
    return this.#open.topics.page(query);
  }

  async prune(rules: Retention, nowMs: number): Promise<number> {
    if (this.#closing) throw shuttingDown();
    return this.#upkeep.prune(rules, nowMs);
  }

  /**
   * Makes a copy of the history as of about now. Publishing continues meanwhile, and pruning waits. Rejects with
   * `storage_full` if there is no space for it, with the signal's reason once that is aborted, and with `shutting_down`
   * once the log is closing.
   */
  async backup(signal: AbortSignal): Promise<BackupFile> {
    if (this.#closing) throw shuttingDown();
    const checkGoOn = () => {
      signal.throwIfAborted();
      if (this.#closing) throw shuttingDown();
    };
    return this.#upkeep.after(async () => {
      checkGoOn();
      return BackupFile.make(this.#path, this.size().usedBytes, (path) =>
        copyHistory(this.#database, this, path, { checkGoOn }),
      );
    });
  }

  size(): StorageSize {
    const { usedBytes, fileBytes } = this.#open.space.size();
    return { usedBytes, fileBytes: fileBytes + this.#file.walBytes() };
  }

  /** Appends that are waiting for their commit. */
  get queueDepth(): number {
    return this.#queue.depth;
  }

  get walBytes(): number {
    return this.#file.walBytes();
  }

  /** Idempotency keys forgotten because there were too many, since the history was opened. */
  get keysForgotten(): number {
    return this.#history.keys.forgotten;
  }

  health(): Health {
    if (this.#closing) return { state: "closed", detail: "the log is closed" };
    if (this.#health.current.state === "full") this.#writes.probe();
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

  get #open(): OpenHistory {
    if (this.#isClosed) throw shuttingDown();
    return this.#history;
  }

  async #close(): Promise<void> {
    // Accepted appends may still be waiting for the keys.
    if (!this.#history.keys.isLoaded) await this.#history.keys.load();
    this.#queue.drain();
    await this.#upkeep.stop();
    this.#writes.saveHead();
    this.#isClosed = true;
    this.#file.close();
  }
}
