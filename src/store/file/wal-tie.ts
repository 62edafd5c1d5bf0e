import type { Database } from "bun:sqlite";
import { isFull } from "./sqlite-error.ts";

/**
 * Ties a write-ahead log to its file by a stamp, new at each opening, on the first page of the file and of the log. So
 * a log that a kill has left is not taken for that of an older copy of the file, or of another file.
 *
 * `user_version` holds the stamp above the version of the schema, which has the lower 16 bits.
 */
const VERSIONS = 2 ** 16;

/** The version of the schema in a value of `user_version`. */
export function versionIn(userVersion: number): number {
  return userVersion & (VERSIONS - 1);
}

/** The stamp in a value of `user_version`. */
export function stampIn(userVersion: number): number {
  return userVersion >>> 16;
}

/** The value of `user_version` with another version of the schema and the same stamp. */
export function withVersion(userVersion: number, version: number): number {
  return (stampIn(userVersion) << 16) | version;
}

/**
 * Puts a new stamp on the file and its log. If the disk is full, the old stamp stays; throws if not even that can be
 * written.
 *
 * The order: first a checkpoint of what a kill has left in the log, which empties it; then the stamp goes into the file
 * by a commit and a second checkpoint; then it is written once more, as the first commit of the log. So the file has
 * the stamp before any other commit follows in the log, and a kill before that leaves a log of one commit.
 */
export function tieWal(database: Database): void {
  const before = userVersionOf(database);
  const [stamp = 0] = crypto.getRandomValues(new Uint16Array(1));
  const after = (stamp << 16) | versionIn(before);
  if (!carryOut(database) || !setUserVersion(database, after)) return;
  if (carryOut(database)) setUserVersion(database, after);
  else database.run(`pragma user_version = ${before}`);
}

export function userVersionOf(database: Database): number {
  return Number(pragma(database, "user_version"));
}

/** Checkpoints the log into the file and empties it. Returns whether it could. */
function carryOut(database: Database): boolean {
  return unlessFull(() => pragma(database, "wal_checkpoint(truncate)")) === 0;
}

/**
 * Writes the first page, even if nothing on it changes. As for every commit, the next one is not written before it is on
 * the disk: two that a power failure has torn look like damage. Returns whether it could.
 */
function setUserVersion(database: Database, value: number): boolean {
  return unlessFull(() => database.run(`pragma user_version = ${value}`)) !== undefined;
}

/** The value of a pragma that returns one. */
export function pragma(database: Database, name: string): unknown {
  const [[value] = []] = database.query(`pragma ${name}`).values();
  return value;
}

/** Returns undefined if the disk is full. */
function unlessFull<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isFull(error)) return undefined;
    throw error;
  }
}
