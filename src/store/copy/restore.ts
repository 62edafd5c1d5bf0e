import { constants, Database } from "bun:sqlite";
import { existsSync, linkSync, renameSync, rmSync } from "node:fs";
import { BusError } from "../../bus/errors.ts";
import type { CheckReport } from "../check/check.ts";
import { readBounds } from "../events/bounds.ts";
import { Damage } from "../file/damage.ts";
import { inspectFile, realPath } from "../file/file-inspection.ts";
import { readMeta } from "../file/meta.ts";
import { FileError, FileInUse, writeError } from "../file/open-error.ts";
import { isInUseElsewhere, openSnapshot } from "../file/snapshot.ts";
import { refuseOpenHere, SCHEMA_VERSION } from "../file/sqlite.ts";
import { isInUse, isSqliteError } from "../file/sqlite-error.ts";
import { copyFile, type Reports, requireSound, WholeFile } from "./whole-file.ts";

export interface Restored {
  /** What is in the place of the file now. */
  readonly report: CheckReport;
  /** Where the file that was there is now, if there was one. */
  readonly aside: string | undefined;
  /** The newest id of that file, if it could be read. */
  readonly replacedHead: number | undefined;
}

/**
 * Puts a checked copy of a history in the place of a file, which is kept aside under the name `aside`.
 *
 * At any moment there is, under the name `name`, the old history or the new one, whole. Only when the old one is so
 * damaged that its write-ahead log cannot be brought into it, a kill can leave none: then it stands under `aside`.
 * Throws `unavailable`, with everything as it was, when the copy is not sound or somebody has either file open.
 */
export async function restoreFile(copy: string, name: string, aside: string, reports: Reports): Promise<Restored> {
  const path = realPath(name);
  if (realPath(copy) === path) throw new FileError(`${copy} is the history itself, not a copy of it`);
  refuseInUse(path);
  await requireSound(copy, reports);
  try {
    using file = new WholeFile(path);
    await copyFile(copy, file.unfinished, reports);
    file.inherit();
    const report = await file.check(reports);
    const replacedHead = existsSync(path) ? headOf(path) : undefined;
    return { report, aside: replace(file, aside), replacedHead };
  } catch (error) {
    throw writeError(path, error);
  }
}

/** Returns where what was there is now, if anything was. */
function replace(file: WholeFile, aside: string): string | undefined {
  const { path } = file;
  const isThere = existsSync(path) || existsSync(`${path}-wal`);
  refuseInUse(path);
  const lock = canCarryOutWal(path) ? lockAlone(path) : undefined;
  try {
    if (lock === undefined) moveAside(path, aside);
    else linkSync(path, aside);
    file.appear();
  } finally {
    lock?.close(true);
  }
  return isThere ? aside : undefined;
}

/** Not when it is damaged: SQLite would drop what comes after the damage, which somebody may want to look at. */
function canCarryOutWal(path: string): boolean {
  try {
    const { isNew, wal } = inspectFile(path, SCHEMA_VERSION);
    return !isNew && (wal?.lostCommits ?? 0) === 0;
  } catch (error) {
    if (error instanceof BusError) return false;
    throw error;
  }
}

/**
 * Brings the write-ahead log into its file and removes it, so that there is one file to replace, and keeps everybody out
 * until the answer is closed. Undefined when the file is too damaged for that. Throws `unavailable` when it is in use.
 */
function lockAlone(path: string): Database | undefined {
  let database: Database | undefined;
  try {
    database = new Database(path, constants.SQLITE_OPEN_READWRITE);
    database.run("pragma busy_timeout = 0");
    database.run("pragma locking_mode = exclusive");
    database.run("pragma journal_mode = delete");
    database.run("begin exclusive");
    if (!existsSync(`${path}-wal`)) return database;
    database.close(true);
    return undefined;
  } catch (error) {
    database?.close(true);
    if (isInUse(error)) throw new FileInUse(path, error);
    if (!isSqliteError(error)) throw error;
    return undefined;
  }
}

/** The main file goes first: a write-ahead log alone is refused, and never taken for that of another file. */
function moveAside(path: string, aside: string): void {
  for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  rmSync(`${path}-shm`, { force: true });
}

/** Early, before minutes are spent on a copy, and again at the end. */
function refuseInUse(path: string): void {
  refuseOpenHere(path);
  if (existsSync(path) && isInUseElsewhere(path)) throw new FileInUse(path);
}

/** The newest id of a history, if it can be read. */
function headOf(path: string): number | undefined {
  let database: Database | undefined;
  try {
    database = openSnapshot(path);
    return readBounds(database, readMeta(database), new Damage(() => {}))[1];
  } catch {
    return undefined;
  } finally {
    database?.close(true);
  }
}
