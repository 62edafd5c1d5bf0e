import { existsSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { fsyncTimesMs } from "./disk.ts";
import { median } from "./stats.ts";

/** What runs where, if the machine has the cores and the tool. */
export type Role = "server" | "load";

/**
 * The server has the core that takes the disk's interrupts: on the other one each fsync would wait for a wake-up from
 * core to core, half as long as the disk itself takes. The controls run where the program does.
 */
const CORES: Readonly<Record<Role, number>> = diskCore() === 0 ? { server: 0, load: 1 } : { server: 1, load: 0 };
/** Magic numbers of file systems that keep nothing on a disk (statfs(2)). */
const MEMORY_FILE_SYSTEMS = [0x01021994, 0x858458f6];

const canPin = Bun.which("taskset") !== null && cpus().length > 1;

/** Which of the first two cores has taken more interrupts of disks, as Linux counts them. */
function diskCore(): number {
  const table = existsSync("/proc/interrupts") ? readFileSync("/proc/interrupts", "utf8") : "";
  const counts = [...table.matchAll(/^ *\d+: +(\d+) +(\d+) .*(?:virtio\d+-req|nvme|ahci|sd[a-z])/gm)];
  const taken = (core: number) => counts.reduce((sum, match) => sum + Number(match[core + 1]), 0);
  return taken(1) > taken(0) ? 1 : 0;
}

/** The command line that runs a program on the core of its role. */
export function pinned(role: Role, argv: readonly string[]): string[] {
  return canPin ? ["taskset", "-c", String(CORES[role]), ...argv] : [...argv];
}

/** Moves this process, which only waits while something is measured, off the server's core. */
export function pinSelf(): void {
  if (canPin) Bun.spawnSync(["taskset", "-a", "-p", "-c", String(CORES.load), String(process.pid)]);
}

/** What a reader needs to compare figures; nothing that identifies the machine. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly bun: string;
  /** Whether server and load had a core each. */
  readonly pinned: boolean;
  /** Processes that were ready to run before the first bench: over a few tenths, others used the machine. */
  readonly loadBefore: number;
  /** Median of a 4 KiB append and fdatasync on the disk that the histories lie on. */
  readonly fsyncMs: number;
  /** The histories lie in memory, so that an fsync costs nothing and proves nothing. */
  readonly isDiskMemory: boolean;
}

export function describeMachine(folder: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${process.arch} ${/^[\d.]+/.exec(release())?.[0] ?? ""}`,
    bun: Bun.version,
    pinned: canPin,
    loadBefore: Number((loadavg()[0] ?? 0).toFixed(2)),
    fsyncMs: Number(median(fsyncTimesMs(folder)).toFixed(3)),
    isDiskMemory: MEMORY_FILE_SYSTEMS.includes(statfsSync(folder).type),
  };
}

/** The most files that one process may have open. */
export function openFilesLimit(): number {
  const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
}
