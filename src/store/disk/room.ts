import { Database } from "bun:sqlite";
import { rmSync, statfsSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";
import { isFailedWrite, isFull } from "../file/sqlite-error.ts";

/** Bytes that the probe tries to write: as much as a large commit adds to the write-ahead log. */
const PROBE_BYTES = 16 * 1024 * 1024;
/** `SQLITE_FCNTL_LAST_ERRNO` of sqlite3.h. */
const LAST_ERRNO = 4;

/**
 * Whether there is no room beside the history for what a commit may write. A used-up quota looks to SQLite like any
 * failed write; only the number of the operating system's error, which it keeps for a main file, differs. So a separate
 * file is written, and removed.
 */
export function isOutOfRoom(historyPath: string): boolean {
  const path = `${historyPath}-probe`;
  try {
    using database = new Database(path);
    return failsForRoom(database);
  } catch {
    return false;
  } finally {
    rmSync(path, { force: true });
  }
}

/** How many bytes the file system of the history has left for it. It ignores quotas. */
export function freeBytes(historyPath: string): number {
  const { bavail, bsize } = statfsSync(dirname(historyPath));
  return bavail * bsize;
}

function failsForRoom(database: Database): boolean {
  try {
    database.run("pragma journal_mode = memory");
    database.run("pragma synchronous = off");
    database.run("create table probe (data blob) strict");
    database.run("insert into probe (data) values (zeroblob(?))", [PROBE_BYTES]);
    return false;
  } catch (error) {
    return isFull(error) || (isFailedWrite(error) && lastErrno(database) === constants.errno.EDQUOT);
  }
}

/** The number of the last error that the operating system has returned for the file. */
function lastErrno(database: Database): number | undefined {
  // SQLite writes the first number; Bun wants room for two.
  const numbers = new Int32Array(2);
  database.fileControl(LAST_ERRNO, numbers);
  return numbers[0];
}
