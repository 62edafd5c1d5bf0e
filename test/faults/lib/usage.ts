import { readFileSync } from "node:fs";

/** Resident memory of a process, in MiB. */
export function residentMib(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Math.round(Number(kib) / 1024);
}

/** Processor time that the main thread of a process has used, in milliseconds. Other work does not change it. */
export function processorMs(pid: number): number {
  const [nanoseconds = ""] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ");
  return Number(nanoseconds) / 1e6;
}
