import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { pinned, type Role } from "./machine.ts";

/** How long a process may take to end after it was asked to, in milliseconds. */
const STOP_MS = 10_000;
/** Ticks of /proc/PID/stat a second; the same on every Linux that Bun runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

const running = new Set<Child>();
let endedCpuSeconds = 0;
process.on("exit", killChildren);

/** Ends every process that still runs. */
export function killChildren(): void {
  for (const child of running) child.kill();
}

export interface ChildOptions {
  readonly role: Role;
  /** Receives standard error. */
  readonly logFile: string;
  readonly onMessage?: (message: unknown) => void;
}

/** A process that was started on the core of its role, and ends with us. */
export class Child {
  readonly #process: Subprocess;
  readonly #logFile: string;

  constructor(argv: readonly string[], { role, logFile, onMessage }: ChildOptions) {
    this.#logFile = logFile;
    this.#process = Bun.spawn(pinned(role, argv), {
      stdio: ["ignore", "ignore", Bun.file(logFile)],
      env: environment(),
      ...(onMessage === undefined ? {} : { ipc: onMessage }),
    });
    running.add(this);
    void this.#process.exited.then(() => {
      running.delete(this);
      endedCpuSeconds += Number(this.#process.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  get exited(): Promise<number> {
    return this.#process.exited;
  }

  /** What it wrote to standard error, the end of it. */
  get log(): string {
    return readFileSync(this.#logFile, "utf8").slice(-2000);
  }

  /** Whether it runs, or how it ended, as a verb. */
  get state(): string {
    const { exitCode, signalCode } = this.#process;
    return signalCode === null && exitCode === null ? "is running" : `ended with ${signalCode ?? exitCode}`;
  }

  send(message: unknown): void {
    this.#process.send(message);
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** Seconds of processor time that it has used; 0 when it has just ended. */
  cpuSeconds(): number {
    const file = join("/proc", String(this.pid), "stat");
    if (!existsSync(file)) return 0;
    const stat = readFileSync(file, "utf8");
    const [, , , , , , , , , , , user = "0", system = "0"] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(user) + Number(system)) / TICKS_PER_SECOND;
  }

  residentBytes(): number {
    const [, pages = "0"] = readFileSync(join("/proc", String(this.pid), "statm"), "utf8").split(" ");
    return Number(pages) * PAGE_BYTES;
  }

  /** The most that it had resident at any time. */
  peakResidentBytes(): number {
    const [, kilobytes = "0"] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8")) ?? [];
    return Number(kilobytes) * 1024;
  }

  /** Asks it to end, and waits until it has. */
  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), STOP_MS);
    await this.#process.exited;
    clearTimeout(timer);
  }
}

/** Processor time of all children so far. */
export function childrenCpuSeconds(): number {
  return [...running].reduce((sum, child) => sum + child.cpuSeconds(), endedCpuSeconds);
}

/** Our environment, without what would configure the program under test. */
function environment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("EVENTBUS_")));
}
