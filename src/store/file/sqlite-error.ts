/** An error that SQLite raised, by its result code. bun:sqlite offers its class for nothing but `instanceof`. */
interface SqliteError extends Error {
  readonly code: string;
}

export function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_");
}

/** The disk is full. SQLite rolls back, and the connection can go on. */
export function isFull(error: unknown): boolean {
  return isSqliteError(error) && error.code === "SQLITE_FULL";
}

/** SQLite has found its own structures broken; what was being written was not written. */
export function isDamage(error: unknown): boolean {
  return isSqliteError(error) && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);
}

/** Another connection holds the lock. */
export function isInUse(error: unknown): boolean {
  return isSqliteError(error) && /^SQLITE_(BUSY|LOCKED)/.test(error.code);
}
