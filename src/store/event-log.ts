import type { Database } from "bun:sqlite";
import type { Event } from "../bus/event.ts";
import type {
  Adopted,
  Appended,
  AppendOptions,
  Draft,
  Entry,
  Filter,
  Health,
  LogFigures,
  MirrorLog,
  Page,
  Place,
  Retention,
  StorageSize,
  TopicMatcher,
  TopicPage,
  TopicQuery,
} from "../bus/ports.ts";
import { shuttingDown } from "./committer.ts";
import type { ConsumerTable } from "./consumers/consumer-table.ts";
import type { ContentsInternals } from "./contents.ts";
import { BackupFile } from "./copy/backup-file.ts";
import { copyHistory } from "./copy/history-copy.ts";
import { FileError, openError } from "./file/open-error.ts";
import { type Durability, type OpenFile, openDatabase } from "./file/sqlite.ts";
import type { TokenTable } from "./keys/tokens.ts";
import { type OpenHistory, type OpenHistoryOptions, openHistory } from "./open-history.ts";

/** `durability`: default `fsync`. */
export type SqliteEventLogOptions = OpenHistoryOptions & { durability?: Durability };

/** Options that only tests change. `connect` wraps the connection of the log. */
export type LogInternals = ContentsInternals & { connect?: (database: Database) => Database };

/**
 * The history in one SQLite file.
 *
 * Appends that arrive in one turn of the event loop share one transaction and one fsync (group commit). Ids are
 * consecutive. After `close`, every call throws or rejects with `shutting_down`.
 *
 * It either owns the order, and `append` and `prune` change it, or it is the mirror of a stream, and only `adopt` does.
 */
export class SqliteEventLog implements MirrorLog {
  readonly #file: OpenFile;
  readonly #history: OpenHistory;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  /** Opens or creates the file at `path`; `:memory:` keeps nothing. Throws as `openDatabase` does. */
  constructor(path: string, options: SqliteEventLogOptions = {}, internals: LogInternals = {}) {
    this.#file = openDatabase(path, options.durability ?? "fsync");
    try {
      const database = internals.connect?.(this.#file.database) ?? this.#file.database;
      this.#history = openHistory({ ...this.#file, database, path }, options, internals);
    } catch (error) {
      this.#file.close();
      throw openError(path, error);
    }
    this.#history.start();
    for (const warning of this.#file.warnings) options.onWarning?.(warning);
  }

  /** Closes the history. Removes its file if this created it and stored nothing: a failed start changes nothing. */
  discard(): Promise<void> {
    if (this.head === 0 && !this.tokens.isUsed) this.#file.discard();
    return this.close();
  }

  /** The tokens, which are in the same file. */
  get tokens(): TokenTable {
    return this.#history.tokens;
  }

  /** The consumers, which are in the same file. */
  get consumers(): ConsumerTable {
    return this.#history.consumers;
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
    const { keys, queue } = this.#history;
    const append = { drafts, idempotencyKey, isAbandoned };
    return idempotencyKey === undefined || keys.isLoaded
      ? queue.add(append)
      : keys.load().then(() => queue.add(append));
  }

  adopt(entries: readonly Entry[], place: Place): (readonly Adopted[] | undefined)[] {
    if (this.#closing) throw shuttingDown();
    return this.#history.adopter.adopt(entries, place);
  }

  get place(): Place | undefined {
    return this.#history.adopter.place;
  }

  lastExcess(rules: Retention, nowMs: number): number {
    return this.#open.pruner.lastExcess(rules, nowMs);
  }

  ready(): Promise<void> {
    return this.#history.keys.load();
  }

  onCommit(listener: (batch: readonly Event[]) => void): void {
    this.#history.committer.onCommit(listener);
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

  prune(rules: Retention, nowMs: number): Promise<number> {
    return this.#history.upkeep.prune(rules, nowMs);
  }

  /**
   * Makes a copy of the history as of about now. Publishing continues meanwhile, and pruning waits. Rejects with
   * `storage_full` if there is no space for it, with the signal's reason once that is aborted, or with `shutting_down`.
   */
  backup(signal: AbortSignal): Promise<BackupFile> {
    const { path, database, bounds, space, upkeep } = this.#history;
    const checkGoOn = () => {
      if (this.#closing) throw shuttingDown();
      signal.throwIfAborted();
    };
    return upkeep.after(async () => {
      checkGoOn();
      return BackupFile.make(path, space.size().usedBytes, (to) => copyHistory(database, bounds, to, { checkGoOn }));
    });
  }

  size(): StorageSize {
    const { usedBytes, fileBytes } = this.#open.space.size();
    return { usedBytes, fileBytes: fileBytes + this.#file.walBytes() };
  }

  get figures(): LogFigures {
    return this.#history.figures;
  }

  health(): Health {
    if (this.#closing) return { state: "closed", detail: "the log is closed" };
    return this.#history.health();
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
    await this.#history.stop();
    this.#isClosed = true;
    const left = this.#file.close();
    if (left !== undefined) throw new FileError(left);
  }
}
