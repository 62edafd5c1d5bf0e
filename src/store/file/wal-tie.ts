import type { Database } from "bun:sqlite";
import { isFull } from "./sqlite-error.ts";

/**
 * What ties a write-ahead log to its file: a stamp, new at each opening, that stands on the first page of the file and
 * of the log. So a log that was left by a kill is not taken for that of an older copy of the file, or of another file.
 *
 * `user_version` holds it above the version of the schema, which has the lower 16 bits.
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
 * Stamps the file and its log anew. Carries out first what a kill has left in the log. Leaves the stamp as it is where
 * the disk is full; throws when not even that can be written.
 *
 * The stamp is in the file before anything else follows it in the log: a kill before that leaves a log of one commit.
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
  return Number(pragmaOf(database, "user_version"));
}

/** Brings the log into the file and empties it. Returns whether it could. */
function carryOut(database: Database): boolean {
  return unlessFull(() => pragmaOf(database, "wal_checkpoint(truncate)")) === 0;
}

/** Writes the first page, whatever stood there before. Does not wait for the disk: whatever follows in the log does. */
function setUserVersion(database: Database, value: number): boolean {
  const synchronous = pragmaOf(database, "synchronous");
  database.run("pragma synchronous = off");
  try {
    return unlessFull(() => database.run(`pragma user_version = ${value}`)) !== undefined;
  } finally {
    database.run(`pragma synchronous = ${synchronous}`);
  }
}

function pragmaOf(database: Database, name: string): unknown {
  return database.query(`pragma ${name}`).values()[0]?.[0];
}

/** Undefined when the disk is full. */
function unlessFull<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isFull(error)) return undefined;
    throw error;
  }
}
