import { constants, Database } from "bun:sqlite";
import { existsSync, linkSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FileError, FileInUse, openError } from "./open-error.ts";

/**
 * Opens a history for reading, its write-ahead log included, without changing it. No process can open it for writing
 * until the returned database is closed. Throws `unavailable` if it is open elsewhere.
 *
 * SQLite creates files beside the one that it opens, and checkpoints the write-ahead log when it closes it. So it gets
 * another name of the same file, in a folder of its own, and may not write.
 */
export function openSnapshot(path: string): Database {
  const folder = secondNames(path);
  let database: Database | undefined;
  try {
    database = new Database(join(folder, "history.db"), constants.SQLITE_OPEN_READONLY);
    database.run("pragma busy_timeout = 0");
    // One transaction for everything that follows. It opens the write-ahead log too, so the names are no longer needed.
    database.run("begin");
    database.query("select count(*) from sqlite_schema").values();
    return database;
  } catch (error) {
    database?.close(true);
    throw openError(path, error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether another process has the file open. If this cannot be determined, SQLite finds it later. */
export function isInUseElsewhere(path: string): boolean {
  try {
    openSnapshot(path).close(true);
    return false;
  } catch (error) {
    return error instanceof FileInUse;
  }
}

function secondNames(path: string): string {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(`${path}-check-`);
    linkSync(path, join(folder, "history.db"));
    if (existsSync(`${path}-wal`)) linkSync(`${path}-wal`, join(folder, "history.db-wal"));
    return folder;
  } catch (error) {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new FileError(
      `${path} cannot be checked where it is (${reason}): copy it, and ${path}-wal if there is one, to a folder where files can be made, and check the copy`,
      error,
    );
  }
}
