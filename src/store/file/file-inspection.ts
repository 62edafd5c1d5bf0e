import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { FileError } from "./open-error.ts";
import { type WalReport, walkWal } from "./wal.ts";

/** Marks a SQLite file as ours: "ebus" in ASCII (SQLite file format, section 1.3.14). */
export const APPLICATION_ID = 0x65627573;

const SQLITE_MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;
/** The header, and as much of the first tree as tells whether there is anything in it. */
const FIRST_PAGE_BYTES = 108;

/** What the bytes of a history file tell. */
export interface Inspection {
  /** The file is missing or empty, or holds nothing: a history can be made in it. */
  readonly isNew: boolean;
  readonly wal: WalReport | undefined;
}

/**
 * Looks at a file without opening it in SQLite, which would change it: carry out its write-ahead log, or drop it.
 *
 * Throws `unavailable` when it is not an eventbus history, has a newer schema than `newestVersion`, or is cut off.
 */
export function inspectFile(path: string, newestVersion: number): Inspection {
  const { bytes, fileBytes } = readBeginning(path);
  if (bytes.length === 0) {
    refuseOrphanedWal(path);
    return { isNew: true, wal: undefined };
  }
  if (bytes.toString("latin1", 0, SQLITE_MAGIC.length) !== SQLITE_MAGIC.slice(0, bytes.length)) {
    throw new FileError(`${path} is not a SQLite database: name another file with --db`);
  }
  if (bytes.length < HEADER_BYTES)
    throw new FileError(`${path} is cut off after ${bytes.length} bytes: restore a backup`);
  const pageSize = pageSizeOf(bytes);
  const wal = walkWal(`${path}-wal`, pageSize);
  // A commit that only stands in the write-ahead log counts.
  const first = wal?.firstPage ?? bytes;
  const isNew = isUnused(first);
  if (!isNew) refuseForeign(path, first, newestVersion);
  if (wal === undefined && fileBytes < pageCountOf(first) * pageSize) {
    throw new FileError(`${path} is cut off: ${fileBytes} bytes of ${pageCountOf(first) * pageSize}: restore a backup`);
  }
  return { isNew, wal };
}

/** The file that a link leads to: SQLite keeps the write-ahead log beside that one. */
export function realPath(path: string): string {
  return sizeOf(path) === undefined ? path : realpathSync(path);
}

function refuseForeign(path: string, first: Buffer, newestVersion: number): void {
  if (first.readUInt32BE(68) !== APPLICATION_ID) {
    throw new FileError(
      `${path} is a SQLite database of another program, not an eventbus history: name another file with --db`,
    );
  }
  const version = first.readUInt32BE(60);
  if (version > newestVersion) {
    throw new FileError(
      `${path} has schema version ${version}, newer than the ${newestVersion} that this eventbus knows: use the eventbus that wrote it, or a newer one`,
    );
  }
}

/** SQLite would delete the write-ahead log of a database that is missing or empty, and with it what was committed. */
function refuseOrphanedWal(path: string): void {
  if (!sizeOf(`${path}-wal`)) return;
  throw new FileError(
    `${path} is missing or empty, but events stand in ${path}-wal: restore a backup, or move ${path}-wal away to begin anew`,
  );
}

/** Nobody has made a table in it, or marked it as theirs. */
function isUnused(first: Buffer): boolean {
  return first.readUInt32BE(68) === 0 && first.readUInt32BE(60) === 0 && first.readUInt16BE(103) === 0;
}

function pageSizeOf(first: Buffer): number {
  const size = first.readUInt16BE(16);
  return size === 1 ? 65_536 : size;
}

/** The header's count is only good if its two change counters agree. */
function pageCountOf(first: Buffer): number {
  return first.readUInt32BE(24) === first.readUInt32BE(92) ? first.readUInt32BE(28) : 0;
}

function readBeginning(path: string): { bytes: Buffer; fileBytes: number } {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError(path, error);
    refuseMissingFolder(path);
    return { bytes: Buffer.alloc(0), fileBytes: 0 };
  }
  try {
    const bytes = Buffer.alloc(FIRST_PAGE_BYTES);
    return { bytes: bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0)), fileBytes: fstatSync(file).size };
  } catch (error) {
    throw fileError(path, error);
  } finally {
    closeSync(file);
  }
}

function refuseMissingFolder(path: string): void {
  const folder = dirname(path);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new FileError(`${path} cannot be made: there is no folder ${folder}`);
}

function fileError(path: string, error: unknown): FileError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EISDIR") return new FileError(`${path} is a folder: name a file with --db`);
  if (code === "EACCES") return new FileError(`${path} cannot be opened: permission denied`);
  return new FileError(`${path} cannot be opened: ${message}`, error);
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
