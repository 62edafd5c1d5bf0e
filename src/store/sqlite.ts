import { Database, SQLiteError } from "bun:sqlite";
import { closeSync, openSync, readSync } from "node:fs";
import { BusError } from "../bus/errors.ts";
import schema from "./schema.sql" with { type: "text" };

/** `fsync`: a commit returns when the disk has it. `os`: when the operating system has it, which a power cut can lose. */
export type Durability = "fsync" | "os";

/** Marks a SQLite file as ours: "ebus" in ASCII (SQLite file format, section 1.3.14). */
export const APPLICATION_ID = 0x65627573;

/** One step a version; a file of version n gets the steps from n on. A step that was released is never edited. */
const migrations: readonly string[] = [schema];

const SQLITE_MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;

/** Pages of 4 KiB. Checkpoints of 16 MiB are few enough to be cheap and small enough to pass in some milliseconds. */
const CHECKPOINT_PAGES = 4096;
/** What the WAL file shrinks to after a checkpoint, in bytes. */
const WAL_SIZE_LIMIT = 32 * 1024 * 1024;
/** KiB, negative by SQLite's convention. Holds the newest hundred thousand events of common size. */
const CACHE_KIB = -32 * 1024;

/**
 * Opens the history file, makes it when there is none, and brings an older schema up to date.
 *
 * The file is locked for this process until it is closed. Throws `unavailable`, and leaves the file untouched, when
 * it is not an eventbus file, has a newer schema, is in use by another process, or cannot be read or written.
 */
export function openDatabase(path: string, durability: Durability): Database {
  refuseForeignFile(path);
  let database: Database | undefined;
  try {
    database = new Database(path, { create: true, readwrite: true, strict: true });
    configure(database, durability);
    migrate(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw openError(path, error);
  }
}

/** Opens a history file for looking only, without a lock that outlives a statement. Throws as `openDatabase` does. */
export function openForReading(path: string): Database {
  refuseForeignFile(path);
  let database: Database | undefined;
  try {
    database = new Database(path, { create: false, readwrite: true, strict: true });
    database.run("pragma query_only = on");
    refuseOtherVersion(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw openError(path, error);
  }
}

function configure(database: Database, durability: Durability): void {
  database.run("pragma busy_timeout = 0");
  database.run("pragma locking_mode = exclusive");
  if (pragma(database, "application_id") === 0) {
    // Both must be in the main file before it becomes a WAL database.
    database.run("pragma auto_vacuum = incremental");
    database.run(`pragma application_id = ${APPLICATION_ID}`);
  }
  database.run("pragma journal_mode = wal");
  database.run(`pragma synchronous = ${durability === "fsync" ? "full" : "normal"}`);
  database.run(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  database.run(`pragma journal_size_limit = ${WAL_SIZE_LIMIT}`);
  database.run(`pragma cache_size = ${CACHE_KIB}`);
  database.run("pragma foreign_keys = off");
  // The lock is taken by the first statement that needs it: take it now.
  database.run("begin immediate");
  database.run("commit");
}

function migrate(database: Database, path: string): void {
  refuseOtherVersion(database, path, { olderIsFine: true });
  const from = Number(pragma(database, "user_version"));
  for (const [index, step] of migrations.entries()) {
    if (index < from) continue;
    database.transaction(() => {
      database.run(step);
      database.run(`pragma user_version = ${index + 1}`);
    })();
  }
}

function refuseOtherVersion(database: Database, path: string, { olderIsFine = false } = {}): void {
  const version = Number(pragma(database, "user_version"));
  if (version > migrations.length) {
    throw new BusError(
      "unavailable",
      `${path} has schema version ${version}, newer than the ${migrations.length} that this eventbus knows: use the eventbus that wrote it, or a newer one`,
    );
  }
  if (version < migrations.length && !olderIsFine) {
    throw new BusError("unavailable", `${path} has no complete eventbus schema yet: start the server on it once`);
  }
}

/** Looks at the first bytes only, so that a file that is not ours is not even opened by SQLite. */
function refuseForeignFile(path: string): void {
  if (path === ":memory:") return;
  const header = readHeader(path);
  if (header === undefined || header.length === 0) return;
  if (header.toString("latin1", 0, SQLITE_MAGIC.length) !== SQLITE_MAGIC) {
    throw new BusError("unavailable", `${path} is not a SQLite database: name another file with --db`);
  }
  if (header.length < HEADER_BYTES) {
    throw new BusError("unavailable", `${path} is cut off after ${header.length} bytes: restore a backup`);
  }
  const applicationId = header.readUInt32BE(68);
  const isUnused = applicationId === 0 && header.readUInt32BE(60) === 0 && header.readUInt32BE(28) <= 1;
  if (applicationId !== APPLICATION_ID && !isUnused) {
    throw new BusError(
      "unavailable",
      `${path} is a SQLite database of another program, not an eventbus history: name another file with --db`,
    );
  }
}

function readHeader(path: string): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw openError(path, error);
  }
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    return header.subarray(0, readSync(file, header, 0, HEADER_BYTES, 0));
  } catch (error) {
    throw openError(path, error);
  } finally {
    closeSync(file);
  }
}

function openError(path: string, error: unknown): BusError {
  if (error instanceof BusError) return error;
  if (error instanceof SQLiteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code ?? "")) {
    return new BusError(
      "unavailable",
      `${path} is in use by another process: stop it, or name another file with --db`,
      {
        cause: error,
      },
    );
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new BusError("unavailable", `${path} cannot be opened: ${reason}`, { cause: error });
}

/** The value of a pragma that answers with one. */
export function pragma(database: Database, name: string): unknown {
  return database.query<Record<string, unknown>, []>(`pragma ${name}`).values()[0]?.[0];
}
