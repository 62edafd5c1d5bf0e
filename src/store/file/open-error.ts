import { accessSync, constants, existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { BusError } from "../../bus/errors.ts";
import { isDamage, isInUse } from "./sqlite-error.ts";

/** A file cannot be used. The detail names the file and is complete. The code is `unavailable`. */
export class FileError extends BusError {
  constructor(detail: string, cause?: unknown) {
    super("unavailable", detail, { cause });
  }
}

/** Another process, or another part of this one, has the file open. */
export class FileInUse extends FileError {
  constructor(path: string, cause?: unknown) {
    super(`${path} is in use by another process: stop it, or use another file`, cause);
  }
}

/** Returns the error to report for a file that could not be opened. A `FileError` is returned unchanged. */
export function openError(path: string, error: unknown): FileError {
  if (error instanceof FileError) return error;
  if (isInUse(error)) return new FileInUse(path, error);
  if (isDamage(error)) {
    return new FileError(`${path} is damaged: run "eventbus check", and restore a backup`, error);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new FileError(`${path} cannot be opened: ${obstacle(path, error) ?? reason}`, error);
}

/**
 * Returns the error to report for a file that could not be created or written. An error with its own message is
 * returned unchanged.
 */
export function writeError(path: string, error: unknown): unknown {
  const why = error instanceof BusError ? undefined : obstacle(path, error);
  return why === undefined ? error : new FileError(`${path} cannot be written: ${why}`, error);
}

/**
 * The obstacle that the user can remove, from an error of SQLite or of the operating system. SQLite has several errors
 * for a folder in which it may not create its write-ahead log, so the folder itself is examined.
 */
function obstacle(path: string, error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!/^(SQLITE_|E[A-Z]+$)/.test(code)) return undefined;
  if (/^(SQLITE_FULL|ENOSPC|EDQUOT)$/.test(code)) return "the disk is full; make space on it";
  const folder = dirname(resolve(path));
  if (!existsSync(folder)) return `there is no folder ${folder}`;
  if (!mayWrite(folder)) return `this user may not write in the folder ${folder}`;
  return code.startsWith("SQLITE_READONLY") ? "this user may not write to it" : undefined;
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
