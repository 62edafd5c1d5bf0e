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
  /** The check of the restored file. */
  readonly report: CheckReport;
  /** The path of the replaced file, if there was one. */
  readonly aside: string | undefined;
  /** The newest id of that file, if it could be read. */
  readonly replacedHead: number | undefined;
}

/**
 * Replaces a file by a checked copy of a history. The replaced file is kept under the name `aside`.
 *
 * What holds: at any moment the file at `name` is the complete old history or the complete new one. The only exception:
 * if the old one is so damaged that its write-ahead log cannot be checkpointed, a kill can leave no file at `name`; the
 * old one is then at `aside`. Throws `unavailable`, and changes nothing, if the copy is not intact or either file is
 * open elsewhere.
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

/** Returns the path of the replaced file, if there was one. */
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

/** False if it is damaged: SQLite would drop everything after the damage, which may still be of use. */
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
 * Checkpoints the write-ahead log into its file and removes it, so that only one file is replaced. No process can open
 * the file until the returned database is closed. Undefined if the file is too damaged for that. Throws `unavailable`
 * if it is in use.
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

/** Moves the main file first: a write-ahead log alone is rejected, and never taken for the log of another file. */
function moveAside(path: string, aside: string): void {
  for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  rmSync(`${path}-shm`, { force: true });
}

/** Called early, before minutes are spent on a copy, and again at the end. */
function refuseInUse(path: string): void {
  refuseOpenHere(path);
  if (existsSync(path) && isInUseElsewhere(path)) throw new FileInUse(path);
}

/** The newest id of a history, if it can be read. */
function headOf(path: string): number | undefined {
  let database: Database | undefined;
  try {
    database = openSnapshot(path);
    return readBounds(database, readMeta(database), new Damage(() => {})).head;
  } catch {
    return undefined;
  } finally {
    database?.close(true);
  }
}
