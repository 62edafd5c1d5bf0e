import { accessSync, constants, existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { BusError } from "../../bus/errors.ts";
import { isDamage, isInUse } from "./sqlite-error.ts";

/** What to tell of a file that could not be opened. */
export function openError(path: string, error: unknown): BusError {
  if (isInUse(error)) return inUse(path, error);
  if (isDamage(error)) {
    const detail = `${path} is damaged: run "eventbus check --db ${path}", and restore a backup`;
    return new BusError("unavailable", detail, { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof BusError && reason.startsWith(path)) return error;
  return new BusError("unavailable", `${path} cannot be opened: ${obstacle(path, error) ?? reason}`, { cause: error });
}

/** What to tell when somebody else holds the lock. */
export function inUse(path: string, cause?: unknown): BusError {
  const detail = `${path} is in use by another process: stop it, or name another file with --db`;
  return new BusError("unavailable", detail, { cause });
}

/** What to tell of a file that could not be made or written; what has words of its own, or none here, stays as it is. */
export function writeError(path: string, error: unknown): unknown {
  const why = error instanceof BusError ? undefined : obstacle(path, error);
  return why === undefined ? error : new BusError("unavailable", `${path} cannot be written: ${why}`, { cause: error });
}

/**
 * What the user can remove from the way of a file, from an error of SQLite or of the operating system. SQLite has several
 * for a folder in which it may not make its write-ahead log, so the folder itself is asked.
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
