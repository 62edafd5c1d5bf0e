import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { BusError } from "../bus/errors.ts";
import { readBounds } from "./bounds.ts";
import { type CheckReport, checkFile } from "./check.ts";
import { Damage } from "./damage.ts";
import { inspectFile, realPath } from "./file-inspection.ts";
import { copyHistory } from "./history-copy.ts";
import { readMeta } from "./meta.ts";
import { openSnapshot } from "./snapshot.ts";
import { pragma, SCHEMA_VERSION } from "./sqlite.ts";

/** Told what is being done, and how much of it: 0 to 1. */
export type OnProgress = (what: string, done: number) => void;

/**
 * A file that appears under its name whole, on the disk and checked, or not at all. Until then it has another name
 * beside it, which only a kill leaves behind.
 */
export class WholeFile implements Disposable {
  readonly path: string;
  /** What to write to. */
  readonly unfinished: string;

  constructor(path: string) {
    this.path = path;
    this.unfinished = `${path}.unfinished-${process.pid}`;
    rmSync(this.unfinished, { force: true });
  }

  /** Syncs and checks what was written. Throws `unavailable`, with what is damaged, when it is not sound. */
  async check(onProgress: OnProgress): Promise<CheckReport> {
    sync(this.unfinished);
    return await requireSound(this.unfinished, onProgress);
  }

  /** Gives it its name, in the place of a file that has it. It survives a power cut when this returns. */
  appear(): void {
    renameSync(this.unfinished, this.path);
    sync(dirname(this.path));
  }

  [Symbol.dispose](): void {
    rmSync(this.unfinished, { force: true });
  }
}

/** Copies a history that nobody has open, its write-ahead log included, without changing it. */
export async function copyFile(name: string, target: string, onProgress: OnProgress): Promise<void> {
  const path = realPath(name);
  if (inspectFile(path, SCHEMA_VERSION).isNew) throw new BusError("unavailable", `${path} is missing or empty`);
  const source = openSnapshot(path);
  try {
    if (Number(pragma(source, "user_version")) !== SCHEMA_VERSION) {
      throw new BusError("unavailable", `${path} has an older schema: start the server on it once, which renews it`);
    }
    const damage = new Damage(() => {});
    const [floor, head] = readBounds(source, readMeta(source), damage);
    if (damage.isFound) throw damaged(path, damage.summary);
    await copyHistory(source, { floor, head }, target, { onProgress: (done) => onProgress("copying", done) });
  } finally {
    source.close(true);
  }
}

/** Checks all of a history that nobody has open. Throws `unavailable`, with what is damaged, when it is not sound. */
export async function requireSound(path: string, onProgress: OnProgress): Promise<CheckReport> {
  const found: string[] = [];
  const report = await checkFile(path, {
    onDamage: (detail) => void found.push(detail),
    onProgress: (what, done) => onProgress(`checking ${what}`, done),
  });
  if (!report.isSound) throw damaged(path, found.slice(0, 5).join("; ") + (found.length > 5 ? "; …" : ""));
  return report;
}

function damaged(path: string, what: string): BusError {
  return new BusError("unavailable", `${path} is damaged: ${what}`);
}

/** Brings a file, or the names in a folder, to the disk. */
function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
