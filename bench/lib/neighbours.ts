import { readFileSync } from "node:fs";
import { childrenCpuSeconds } from "./child.ts";

/** Ticks of /proc/stat a second; the same on every Linux that Bun runs on. */
const TICKS_PER_SECOND = 100;

/** From here on a figure says more about the neighbours than about the program. */
export const NOISY_CORES = 0.15;

/** Watches how much of the machine others use while something is measured. */
export class Neighbours {
  readonly #start = snapshot();

  /** Cores that others have used since the start, on average; stolen by the host included. */
  get cores(): number {
    const now = snapshot();
    const seconds = (now.atMs - this.#start.atMs) / 1000;
    const busy = now.busySeconds - this.#start.busySeconds;
    const ours = now.ourSeconds - this.#start.ourSeconds;
    return Math.max(0, Number(((busy - ours) / seconds).toFixed(2)));
  }
}

interface Snapshot {
  readonly atMs: number;
  readonly busySeconds: number;
  readonly ourSeconds: number;
}

function snapshot(): Snapshot {
  const { user, system } = process.cpuUsage();
  return {
    atMs: performance.now(),
    busySeconds: busyTicks() / TICKS_PER_SECOND,
    ourSeconds: (user + system) / 1e6 + childrenCpuSeconds(),
  };
}

/** Of all processors, as proc_stat(5) orders them: user, nice, system, idle, iowait, irq, softirq, steal. */
function busyTicks(): number {
  const [, numbers = ""] = /^cpu +(.+)$/m.exec(readFileSync("/proc/stat", "utf8")) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = numbers.split(" ").map(Number);
  return user + nice + system + irq + softirq + steal;
}
