import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { FileError } from "./open-error.ts";
import { lossOf, USER_VERSION_OFFSET, type WalReport, walkWal } from "./wal.ts";
import { stampIn, versionIn } from "./wal-tie.ts";

/** Marks a SQLite file as ours: "ebus" in ASCII (SQLite file format, section 1.3.14). */
export const APPLICATION_ID = 0x65627573;

const SQLITE_MAGIC = "SQLite format 3\0";
/** Section 3 of the SQLite file format: what a rollback journal begins with. */
const JOURNAL_MAGIC = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";
const JOURNAL_HEADER_BYTES = 28;
/**
 * Size of the file while a history is created in it, in bytes: one page. Everything after that arrives through the
 * write-ahead log.
 */
const UNFINISHED_BYTES = 4096;
const HEADER_BYTES = 100;
/** The header, and enough of the first tree to see whether it contains anything. */
const FIRST_PAGE_BYTES = 108;

/** Offset in the header of the version for writing; that for reading follows it. Both are always the same. */
const VERSIONS_OFFSET = 18;
/** 1: without a write-ahead log, as in a backup until it is opened; 2: with one. */
const FILE_VERSIONS = [1, 2];

/** What the bytes of a history file show. */
export interface Inspection {
  /** The file is missing or empty, or contains nothing: a history can be created in it. */
  readonly isNew: boolean;
  /** It is new, but must be emptied first: the power failed while it was created, before anything was published. */
  readonly isTorn: boolean;
  readonly wal: WalReport | undefined;
  /** The acknowledged part of the write-ahead log that would be lost, if any. */
  readonly damage: string | undefined;
  /** Findings to report that may be no damage. */
  readonly warnings: readonly string[];
}

const NO_FINDINGS = { damage: undefined, warnings: [] };

/** The result for a place without a history. */
export const NOTHING: Inspection = { isNew: true, isTorn: false, wal: undefined, ...NO_FINDINGS };

/**
 * Inspects a file without opening it in SQLite, which would change it: checkpoint its write-ahead log, or drop it.
 *
 * Throws `unavailable` if it is not an eventbus history, has a newer schema than `newestVersion`, or is truncated.
 */
export function inspectFile(path: string, newestVersion: number): Inspection {
  const { bytes, fileBytes } = readBeginning(path);
  if (bytes.length === 0) {
    refuseOrphanedWal(path);
    return NOTHING;
  }
  if (bytes.toString("latin1", 0, SQLITE_MAGIC.length) !== SQLITE_MAGIC.slice(0, bytes.length)) {
    if (isTorn(path, fileBytes)) return { ...NOTHING, isTorn: true };
    if (bytes.some((byte) => byte !== 0)) {
      throw new FileError(`${path} is not a SQLite database: use another file`);
    }
    throw new FileError(
      `${path} begins with zeros, as after a power cut: restore a backup, or remove it if nothing was published to it`,
    );
  }
  if (bytes.length < HEADER_BYTES)
    throw new FileError(`${path} is truncated after ${bytes.length} bytes: restore a backup`);
  const pageSize = pageSizeOf(bytes);
  const wal = walkWal(`${path}-wal`, pageSize);
  if (wal) refuseStrangeWal(path, bytes, wal);
  // A commit that is only in the write-ahead log counts.
  const first = wal?.firstPage ?? bytes;
  const isNew = isUnused(first);
  if (!isNew) {
    refuseForeign(path, first, newestVersion);
    refuseDamagedVersions(path, bytes);
  }
  if (wal === undefined && fileBytes < pageCountOf(first) * pageSize) {
    throw new FileError(
      `${path} is truncated: ${fileBytes} of ${pageCountOf(first) * pageSize} bytes: restore a backup`,
    );
  }
  return { isNew, isTorn: false, wal, ...(wal ? findingsOf(path, wal) : NO_FINDINGS) };
}

function findingsOf(path: string, wal: WalReport): Pick<Inspection, "damage" | "warnings"> {
  const loss = lossOf(`${path}-wal`, wal);
  const replaced =
    `${path} was changed after ${path}-wal was last written, as when an older copy replaces it: ` +
    `the ${wal.commits} commits in ${path}-wal are added to it`;
  return {
    damage: loss?.isOrdinary === false ? loss.detail : undefined,
    warnings: [...(loss?.isOrdinary ? [loss.detail] : []), ...(wasReplaced(path, wal) ? [replaced] : [])],
  };
}

/**
 * Whether the file was written after its log, other than by a checkpoint. Only this reveals an older copy with the same
 * stamp, made while the same server ran.
 */
function wasReplaced(path: string, { lowPage, firstPage, isFirstPageChanged }: WalReport): boolean {
  if (lowPage === undefined || statSync(path).mtimeMs <= statSync(`${path}-wal`).mtimeMs) return false;
  if (isFirstPageChanged && firstPage && readAt(path, 0, firstPage.length).equals(firstPage)) return false;
  const { number, bytes } = lowPage;
  return !readAt(path, (number - 1) * bytes.length, bytes.length).equals(bytes);
}

/**
 * The file that a link leads to: SQLite keeps the write-ahead log beside that file. Throws `unavailable` if it is a pipe
 * or a device, which cannot be inspected: to open a pipe would wait for a writer.
 */
export function realPath(path: string): string {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return path;
    if (stats.isFile() || stats.isDirectory()) return realpathSync(path);
  } catch (error) {
    throw fileError(path, error);
  }
  throw new FileError(`${path} is not a regular file: use another file`);
}

/**
 * Whether a file without a header was being created: its first page is blank, or a rollback journal shows that there
 * was no other page. Published events go to the write-ahead log, so nothing was published if that is empty.
 */
function isTorn(path: string, fileBytes: number): boolean {
  if (fileBytes > UNFINISHED_BYTES || sizeOf(`${path}-wal`)) return false;
  if (readAt(path, 0, UNFINISHED_BYTES).every((byte) => byte === 0)) return true;
  if (!sizeOf(`${path}-journal`)) return false;
  const journal = readAt(`${path}-journal`, 0, JOURNAL_HEADER_BYTES);
  if (journal.length < JOURNAL_HEADER_BYTES) return false;
  return journal.toString("latin1", 0, JOURNAL_MAGIC.length) === JOURNAL_MAGIC && journal.readUInt32BE(16) <= 1;
}

/**
 * Throws if the log is not that of the file: with it, SQLite would build a state that the file never had. A log of one
 * commit may contain only its stamp.
 */
function refuseStrangeWal(path: string, bytes: Buffer, { commits, stamps }: WalReport): void {
  if (commits <= 1 || stamps.size === 0 || stamps.has(stampIn(bytes.readUInt32BE(USER_VERSION_OFFSET)))) return;
  throw new FileError(
    `${path}-wal belongs to another state of ${path}, as when an older copy replaces it: ` +
      `put back the file that it belongs to, or move ${path}-wal away to continue without the ${commits} commits in it`,
  );
}

function refuseForeign(path: string, first: Buffer, newestVersion: number): void {
  if (first.readUInt32BE(68) !== APPLICATION_ID) {
    throw new FileError(`${path} is a SQLite database of another program, not an eventbus history: use another file`);
  }
  const version = versionIn(first.readUInt32BE(USER_VERSION_OFFSET));
  if (version > newestVersion) {
    throw new FileError(
      `${path} has schema version ${version}, newer than the ${newestVersion} that this eventbus knows: use the eventbus that wrote it, or a newer one`,
    );
  }
}

/**
 * Throws if the versions in the header of the file are damaged. SQLite would open the file for reading only, or without
 * its write-ahead log, and so without the commits in it.
 */
function refuseDamagedVersions(path: string, bytes: Buffer): void {
  const [toWrite, toRead] = [bytes.readUInt8(VERSIONS_OFFSET), bytes.readUInt8(VERSIONS_OFFSET + 1)];
  if (toWrite === toRead && FILE_VERSIONS.includes(toWrite)) return;
  throw new FileError(
    `${path} is damaged: its header has the versions ${toWrite} and ${toRead}, which no history has: restore a backup`,
  );
}

/**
 * Throws if there is a log without a file: SQLite would delete the write-ahead log of a missing or empty database, and
 * with it what was committed.
 */
function refuseOrphanedWal(path: string): void {
  if (!sizeOf(`${path}-wal`)) return;
  throw new FileError(
    `${path} is missing or empty, but ${path}-wal contains events: restore a backup, or move ${path}-wal away to start over`,
  );
}

/** No program has created a table in it, or marked it as its own. */
function isUnused(first: Buffer): boolean {
  return first.readUInt32BE(68) === 0 && first.readUInt32BE(USER_VERSION_OFFSET) === 0 && first.readUInt16BE(103) === 0;
}

function pageSizeOf(first: Buffer): number {
  const size = first.readUInt16BE(16);
  return size === 1 ? 65_536 : size;
}

/** The page count of the header is valid only if its two change counters agree. */
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
    return { bytes: bytesAt(file, 0, FIRST_PAGE_BYTES), fileBytes: fstatSync(file).size };
  } catch (error) {
    throw fileError(path, error);
  } finally {
    closeSync(file);
  }
}

function readAt(path: string, position: number, length: number): Buffer {
  const file = openSync(path, "r");
  try {
    return bytesAt(file, position, length);
  } finally {
    closeSync(file);
  }
}

function bytesAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, position));
}

function refuseMissingFolder(path: string): void {
  if (path.endsWith("/")) throw new FileError(`${path} is the name of a folder, not of a file`);
  const folder = dirname(path);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new FileError(`${path} cannot be created: there is no folder ${folder}`);
}

function fileError(path: string, error: unknown): FileError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EISDIR") return new FileError(`${path} is a folder, not a file`);
  if (code === "ELOOP") return new FileError(`${path} cannot be opened: its links lead back to it`);
  if (code === "ENAMETOOLONG") return new FileError(`${path} cannot be opened: its name is too long`);
  if (code === "EACCES") return new FileError(`${path} cannot be opened: permission denied`);
  return new FileError(`${path} cannot be opened: ${message}`, error);
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
