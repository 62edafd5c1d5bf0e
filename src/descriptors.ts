import { readdirSync, readFileSync, statSync } from "node:fs";

/**
 * File descriptors reserved for other uses: the files of the history, the listener, the standard streams, and
 * the connections accepted between two checks. At the limit itself the runtime spins while trying to accept.
 */
const RESERVED = 64;
/** How long a check stays valid, in milliseconds: it costs some microseconds. */
const LOOK_AGAIN_MS = 50;

/**
 * How many file descriptors this process may have open: the soft limit of Linux, which the runtime raises to the hard
 * one when it starts. Undefined if it is unknown.
 */
export function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** Checks, on request, whether there are descriptors for more connections. */
export class DescriptorWatch {
  readonly #limit: number;
  #isCrowded = false;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many connections there is room for when there are no others; at least 1. */
  get room(): number {
    return Math.max(1, this.#limit - RESERVED);
  }

  /** Whether connections should be turned away; at most 50 ms old. `nowMs` is the time of `performance.now`. */
  readonly isCrowded = (nowMs: number): boolean => {
    if (nowMs - this.#lookedMs < LOOK_AGAIN_MS) return this.#isCrowded;
    this.#lookedMs = nowMs;
    this.#isCrowded = openDescriptors() >= this.room;
    return this.#isCrowded;
  };
}

function openDescriptors(): number {
  try {
    // Since 6.2, Linux gives it as the size of the folder, which was 0 before.
    return statSync("/proc/self/fd").size || readdirSync("/proc/self/fd").length;
  } catch {
    // At the limit even this check fails.
    return Number.POSITIVE_INFINITY;
  }
}
