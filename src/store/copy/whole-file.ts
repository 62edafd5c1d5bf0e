import { chmodSync, chownSync, closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type CheckReport, checkFile } from "../check/check.ts";
import { readBounds } from "../events/bounds.ts";
import { Damage } from "../file/damage.ts";
import { inspectFile, realPath } from "../file/file-inspection.ts";
import { readMeta } from "../file/meta.ts";
import { FileError } from "../file/open-error.ts";
import { isInUseElsewhere, openSnapshot } from "../file/snapshot.ts";
import { SCHEMA_VERSION, schemaVersionOf } from "../file/sqlite.ts";
import { copyHistory } from "./history-copy.ts";

/** Callbacks of long work on files. */
export interface Reports {
  /** Called with what is being done, and how much of it is done: 0 to 1. */
  readonly onProgress: (what: string, done: number) => void;
  /** Called with findings that may be no damage of the file, such as omitted commits. */
  readonly onWarning: (detail: string) => void;
}

/** Exit code of an interrupted command: 128 and the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * A file that appears under its name complete, on the disk and checked, or not at all. Until then it has another name
 * beside it, which only `kill -9` leaves behind: on a signal that ends the process, it is removed first.
 */
export class WholeFile implements Disposable {
  readonly path: string;
  /** The path to write to. */
  readonly unfinished: string;

  constructor(path: string) {
    this.path = path;
    this.unfinished = `${path}.unfinished-${process.pid}`;
    rmSync(this.unfinished, { force: true });
    process.on("SIGINT", this.#onSignal);
    process.on("SIGTERM", this.#onSignal);
  }

  /** Gives it the owner and the permissions of the file that it replaces, or else the owner of the folder. */
  inherit(): void {
    const there = statSync(this.path, { throwIfNoEntry: false });
    if (there) chmodSync(this.unfinished, there.mode & 0o777);
    if (process.getuid?.() !== 0) return;
    const { uid, gid } = there ?? statSync(dirname(this.path));
    chownSync(this.unfinished, uid, gid);
  }

  /** Syncs and checks what was written. Throws `unavailable`, with the damage, if it is not intact. */
  async check(reports: Reports): Promise<CheckReport> {
    sync(this.unfinished);
    return await requireSound(this.unfinished, reports);
  }

  /** Gives it its name, and replaces a file with that name. Survives a power failure once this returns. */
  appear(): void {
    renameSync(this.unfinished, this.path);
    sync(dirname(this.path));
  }

  [Symbol.dispose](): void {
    process.off("SIGINT", this.#onSignal);
    process.off("SIGTERM", this.#onSignal);
    rmSync(this.unfinished, { force: true });
  }

  readonly #onSignal = (signal: keyof typeof EXIT_CODES): void => {
    this[Symbol.dispose]();
    process.exit(EXIT_CODES[signal]);
  };
}

/** Copies a history that no process has open, its write-ahead log included, without changing it. */
export async function copyFile(name: string, target: string, { onProgress, onWarning }: Reports): Promise<void> {
  const path = realPath(name);
  const { isNew, damage: lost, warnings } = inspectFile(path, SCHEMA_VERSION);
  if (isNew) throw new FileError(`${path} is missing or empty`);
  const source = openSnapshot(path);
  try {
    if (schemaVersionOf(source) !== SCHEMA_VERSION) {
      throw new FileError(`${path} has an older schema: start the server on it once to upgrade it`);
    }
    const damage = new Damage(() => {});
    const bounds = readBounds(source, readMeta(source), damage);
    if (damage.isFound) throw damaged(path, damage.summary);
    if (lost !== undefined) throw damaged(path, lost);
    for (const warning of warnings) onWarning(warning);
    await copyHistory(source, bounds, target, { onProgress: (done) => onProgress("copying", done) });
  } finally {
    source.close(true);
  }
}

/**
 * Throws `unavailable` if a copy must not replace the file at `target`: it is the history at `history`, or another one
 * that is open, or that has commits in a write-ahead log beside it.
 */
export function requireReplaceable(target: string, history: string): void {
  const path = realPath(target);
  if (path === realPath(history)) {
    throw new FileError(`${target} is the history itself: name another file for the copy`);
  }
  if (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size || isInUseElsewhere(path)) {
    throw new FileError(`${target} is the history of a server: name another file for the copy`);
  }
}

/** Checks all of a history that no process has open. Throws `unavailable`, with the damage, if it is not intact. */
export async function requireSound(path: string, { onProgress }: Pick<Reports, "onProgress">): Promise<CheckReport> {
  const found: string[] = [];
  const report = await checkFile(path, {
    onDamage: (detail) => void found.push(detail),
    onProgress: (what, done) => onProgress(`checking ${what}`, done),
  });
  if (!report.isSound) throw damaged(path, found.slice(0, 5).join("; ") + (found.length > 5 ? "; …" : ""));
  return report;
}

function damaged(path: string, what: string): FileError {
  return new FileError(`${path} is damaged: ${what}`);
}

/** Syncs a file, or the names in a folder, to the disk. */
function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
