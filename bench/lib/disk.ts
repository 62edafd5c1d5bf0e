import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { maximum, median } from "./stats.ts";

const SAMPLES = 100;
/** The disk has settled when the slowest of some fsyncs took less than this many times the middle one. */
const SETTLED_FACTOR = 10;
const MAX_TRIES = 40;

/** How long a 4 KiB append and its fdatasync take, in milliseconds, a hundred times one after another. */
export function fsyncTimesMs(folder: string): number[] {
  const path = join(folder, "fsync");
  const file = openSync(path, "w");
  const block = Buffer.alloc(4096);
  const timesMs = Array.from({ length: SAMPLES }, () => {
    const startMs = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    return performance.now() - startMs;
  });
  closeSync(file);
  rmSync(path);
  return timesMs;
}

/** Waits until the disk has done with what was written before, or some seconds have passed. */
export async function settle(folder: string): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const timesMs = fsyncTimesMs(folder);
    if (maximum(timesMs) < median(timesMs) * SETTLED_FACTOR) return;
    await Bun.sleep(200);
  }
}
