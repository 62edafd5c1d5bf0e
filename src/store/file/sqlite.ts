import { Database } from "bun:sqlite";
import { closeSync, openSync, realpathSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { BusError } from "../../bus/errors.ts";
import { APPLICATION_ID, type Inspection, inspectFile, NOTHING, realPath } from "./file-inspection.ts";
import { insertMeta } from "./meta.ts";
import { FileError, FileInUse, openError } from "./open-error.ts";
import { Place } from "./place.ts";
import schema from "./schema.sql" with { type: "text" };
import schema2 from "./schema-2.sql" with { type: "text" };
import { isInUseElsewhere } from "./snapshot.ts";
import { pragma, tieWal, userVersionOf, versionIn, withVersion } from "./wal-tie.ts";

/**
 * `fsync`: a commit returns when it is on the disk. `os`: when the operating system has it, which a power failure can
 * lose.
 */
export type Durability = "fsync" | "os";

/** One step per version; a file of version n gets the steps from n on. A released step is never edited. */
const migrations: readonly ((database: Database) => void)[] = [
  (database) => {
    database.run(schema);
    insertMeta(database);
  },
  (database) => {
    database.run(schema2);
    insertMeta(database);
  },
];

export const SCHEMA_VERSION = migrations.length;

/** Pages of 4 KiB. A checkpoint of 2 MiB takes a few milliseconds, and larger ones make publishing no faster. */
export const CHECKPOINT_PAGES = 500;
/** Size of the WAL file after a checkpoint, in bytes. */
const WAL_SIZE_LIMIT = 4 * 1024 * 1024;
/** KiB, negative by SQLite's convention. Holds the newest hundred thousand events of usual size. */
const CACHE_KIB = -32 * 1024;
/** The same for a copy that is being made: nothing of it is read again. */
const COPY_CACHE_KIB = -4 * 1024;
/** Only for the owner: the file holds every event and the hashes of all tokens. SQLite gives its log the same mode. */
const FILE_MODE = 0o600;
/** SQLite's name for a database that keeps nothing. */
const IN_MEMORY = ":memory:";

/**
 * Processes that open a file at the same instant can keep each other from the lock, so that none gets it. Then each
 * tries again after a pause of its own, or reports at last that the file is in use.
 */
const OPEN_ATTEMPTS = 4;
/** Shortest pause, in milliseconds; the longest is twice that. Opening a file takes a few milliseconds. */
const OPEN_PAUSE_MS = 10;

/** An open history file, locked for this process. */
export interface OpenFile {
  readonly database: Database;
  /** Findings to report from the opening: omitted commits, whose ids are reused. */
  readonly warnings: readonly string[];
  /** Undefined in memory. */
  readonly place: Place | undefined;
  /** Bytes of the write-ahead log, which is a file of its own. */
  walBytes(): number;
  /** Removes the file, and its log, if this opening created it. The lock is held until `close`, which must follow. */
  discard(): void;
  /**
   * Finalizes every statement and releases the lock. May be called twice.
   *
   * Returns undefined if the file has everything; otherwise what keeps a restart from finding it there.
   */
  close(): string | undefined;
}

/**
 * Files that this process has open. SQLite's lock keeps other processes out, but the operating system drops it when the
 * process that holds it closes any other descriptor of the file. So nothing here may even read one of these.
 */
const openFiles = new Set<string>();
/**
 * Databases that were displaced while they were open. Closing them would delete the write-ahead log under their name,
 * and write to the file; both may belong to another history by now.
 */
const abandoned: Database[] = [];

/**
 * Opens the history file, creates it if there is none, and migrates an older schema.
 *
 * The file is locked for this process until it is closed. Throws `unavailable`, and leaves the file untouched, if it is
 * not an eventbus file, has a newer schema, is in use, cannot be read or written, or if its write-ahead log is damaged
 * so that acknowledged commits would be lost. The last is not an error with `os`, where a power failure can cause it.
 */
export function openDatabase(name: string, durability: Durability): OpenFile {
  for (let attempt = 1; ; attempt++) {
    try {
      return tryToOpen(name, durability);
    } catch (error) {
      if (!(error instanceof FileInUse) || attempt === OPEN_ATTEMPTS) throw error;
      Bun.sleepSync(OPEN_PAUSE_MS * (1 + Math.random()));
    }
  }
}

function tryToOpen(name: string, durability: Durability): OpenFile {
  const path = name === IN_MEMORY ? name : realPath(name);
  let database: Database | undefined;
  let isMade = false;
  try {
    const { isNew, isTorn, damage, warnings } = path === IN_MEMORY ? NOTHING : inspect(path, durability);
    if (isTorn) truncateSync(path);
    isMade = path !== IN_MEMORY && makeFile(path);
    database = new Database(path, { create: true, readwrite: true, strict: true });
    configure(database, { durability, isNew, isInMemory: path === IN_MEMORY });
    migrate(database);
    if (path !== IN_MEMORY) tieWal(database);
    return opened(database, { name, path, isMade }, damage === undefined ? warnings : [damage, ...warnings]);
  } catch (error) {
    const reason = openError(path, error);
    // While the lock is held. If another process has it, the file has become the history of that process.
    if (isMade && !(reason instanceof FileInUse)) removeHistory(path);
    database?.close(true);
    throw reason;
  }
}

/** Creates the file, empty, unless there is one. Returns whether it did. */
function makeFile(path: string): boolean {
  try {
    closeSync(openSync(path, "wx", FILE_MODE));
    return true;
  } catch {
    // There is one, or SQLite cannot create it either, and says why.
    return false;
  }
}

function removeHistory(path: string): void {
  for (const suffix of ["", "-wal"]) rmSync(path + suffix, { force: true });
}

/** Throws `unavailable` if this process has the file open. */
export function refuseOpenHere(path: string): void {
  const key = keyOf(path);
  if (key !== undefined && openFiles.has(key)) throw new FileInUse(path);
}

function opened(
  database: Database,
  { name, path, isMade }: { readonly name: string; readonly path: string; readonly isMade: boolean },
  warnings: readonly string[],
): OpenFile {
  const key = keyOf(path);
  if (key !== undefined) openFiles.add(key);
  const place = path === IN_MEMORY ? undefined : new Place(name, path);
  let isClosed = false;
  let isDiscarded = false;
  return {
    database,
    warnings,
    place,
    walBytes: () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
    discard() {
      isDiscarded = isMade;
      if (isMade) removeHistory(path);
    },
    close() {
      if (isClosed) return undefined;
      isClosed = true;
      const left = place?.loss ?? (place && leftInWal(database, path));
      if (place?.loss === undefined) database.close(true);
      else abandon(database, place);
      place?.close();
      if (key !== undefined) openFiles.delete(key);
      return isDiscarded ? undefined : left;
    },
  };
}

/** Empties the write-ahead log into the file; returns what could not be emptied. */
function leftInWal(database: Database, path: string): string | undefined {
  try {
    database.run("pragma wal_checkpoint(truncate)");
    return undefined;
  } catch (error) {
    return `${path} cannot be written (${(error as Error).message}): its newest events are in ${path}-wal, so keep both together`;
  }
}

/** Writes to the file, wherever it is, what it does not have yet, and leaves everything else as it is. */
function abandon(database: Database, place: Place): void {
  abandoned.push(database);
  if (place.isIntact) leftInWal(database, "");
}

function inspect(path: string, durability: Durability): Inspection {
  refuseOpenHere(path);
  try {
    return inspectAlone(path, durability);
  } catch (error) {
    // A file that another process is writing may look damaged while it is read.
    if (isInUseElsewhere(path)) throw new FileInUse(path, error);
    return inspectAlone(path, durability);
  }
}

function inspectAlone(path: string, durability: Durability): Inspection {
  const inspection = inspectFile(path, SCHEMA_VERSION);
  const { wal, damage } = inspection;
  if (durability === "os" || wal === undefined || damage === undefined) return inspection;
  throw new FileError(
    `${path}-wal is damaged, and ${wal.lostCommits} commits after the damage would be lost: run "eventbus check"; ` +
      `then restore a backup, or move ${path}-wal away to continue without any of the ${wal.commits + wal.lostCommits} commits in it`,
  );
}

interface Configuration {
  readonly durability: Durability;
  readonly isNew: boolean;
  readonly isInMemory: boolean;
}

function configure(database: Database, { durability, isNew, isInMemory }: Configuration): void {
  database.run("pragma busy_timeout = 0");
  database.run("pragma locking_mode = exclusive");
  if (isNew) {
    // Both must be in the main file before it becomes a WAL database.
    database.run("pragma auto_vacuum = incremental");
    database.run(`pragma application_id = ${APPLICATION_ID}`);
  }
  setRequired(database, "journal_mode", isInMemory ? "memory" : "wal");
  setRequired(database, "synchronous", durability === "fsync" ? 2 : 1);
  database.run(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  database.run(`pragma journal_size_limit = ${WAL_SIZE_LIMIT}`);
  database.run(`pragma cache_size = ${CACHE_KIB}`);
  database.run("pragma foreign_keys = off");
  // A temporary file may have no place to be, and then a commit would fail.
  database.run("pragma temp_store = memory");
  // The first statement that needs the lock takes it: take it now.
  database.run("begin immediate");
  database.run("commit");
}

/** Sets a pragma on which acknowledged events depend, and verifies that it was accepted. */
function setRequired(database: Database, name: string, value: string | number): void {
  database.run(`pragma ${name} = ${value}`);
  if (pragma(database, name) === value) return;
  throw new BusError("unavailable", `SQLite does not take ${name} = ${value} for it`);
}

/**
 * Creates an empty history for a copy that is synced and checked later: no write to it waits for the disk, and after a
 * crash it is useless. An existing file is overwritten; a new one is accessible to its owner alone.
 */
export function makeHistory(path: string): Database {
  writeFileSync(path, "", { mode: FILE_MODE });
  const database = new Database(path, { readwrite: true, strict: true });
  try {
    database.run("pragma auto_vacuum = incremental");
    database.run(`pragma application_id = ${APPLICATION_ID}`);
    database.run("pragma locking_mode = exclusive");
    database.run("pragma synchronous = off");
    database.run("pragma journal_mode = off");
    database.run(`pragma cache_size = ${COPY_CACHE_KIB}`);
    migrate(database);
    return database;
  } catch (error) {
    database.close(true);
    throw error;
  }
}

function migrate(database: Database): void {
  const from = schemaVersionOf(database);
  for (const [index, step] of migrations.entries()) {
    if (index < from) continue;
    database.transaction(() => {
      step(database);
      database.run(`pragma user_version = ${withVersion(userVersionOf(database), index + 1)}`);
    })();
  }
}

export function schemaVersionOf(database: Database): number {
  return versionIn(userVersionOf(database));
}

/** Identifies a file, by whatever name it is opened; undefined if there is none. */
function keyOf(path: string): string | undefined {
  if (path === IN_MEMORY) return undefined;
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}:${stats.ino === 0 ? realpathSync(path) : ""}`;
}

/** The SQL of every table, index and view of an up-to-date file, by name. */
export function schemaOf(database: Database): Map<string, string> {
  const rows = database.query("select name, sql from sqlite_schema where sql is not null order by name").values();
  return new Map(rows as [string, string][]);
}

/** What `schemaOf` returns for a new file. */
export function freshSchema(): Map<string, string> {
  const database = new Database(":memory:");
  try {
    migrate(database);
    return schemaOf(database);
  } finally {
    database.close(true);
  }
}
