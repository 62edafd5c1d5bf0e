/** An error from SQLite, by its result code. The class of bun:sqlite can only be used with `instanceof`. */
interface SqliteError extends Error {
  readonly code: string;
}

export function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_");
}

/** The disk is full. SQLite rolls back, and the connection stays usable. */
export function isFull(error: unknown): boolean {
  return isSqliteError(error) && error.code === "SQLITE_FULL";
}

/** A write has failed, for a reason that SQLite does not distinguish. It rolls back. */
export function isFailedWrite(error: unknown): boolean {
  return isSqliteError(error) && error.code === "SQLITE_IOERR_WRITE";
}

/** SQLite has found its own structures damaged; the current write was not done. */
export function isDamage(error: unknown): boolean {
  return isSqliteError(error) && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);
}

/** Another connection holds the lock. */
export function isInUse(error: unknown): boolean {
  return isSqliteError(error) && /^SQLITE_(BUSY|LOCKED)/.test(error.code);
}
