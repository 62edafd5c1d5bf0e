import { BusError } from "../bus/errors.ts";
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
  return new BusError("unavailable", `${path} cannot be opened: ${reason}`, { cause: error });
}

/** What to tell when somebody else holds the lock. */
export function inUse(path: string, cause?: unknown): BusError {
  const detail = `${path} is in use by another process: stop it, or name another file with --db`;
  return new BusError("unavailable", detail, { cause });
}
