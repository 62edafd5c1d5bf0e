import type { Bench, Row } from "./bench.ts";
import type { Machine } from "./machine.ts";
import { percentile } from "./stats.ts";
import { judge } from "./verdict.ts";

/** What became of one bench: rows, or why there are none. */
export interface Measured {
  readonly bench: Bench;
  readonly rows: readonly Row[];
  readonly skipped?: string;
  readonly failed?: string;
  /** How long it took in all. */
  readonly seconds: number;
  /** Cores that other processes used meanwhile. */
  readonly othersCores: number;
}

/** A whole run. */
export interface Outcome {
  /** UTC, RFC 3339. */
  readonly date: string;
  readonly command: string;
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly windowSeconds: number;
  readonly machine: Machine;
  readonly measured: readonly Measured[];
}

/** The same, as a program would read it: judged rows without the single measurements. */
export function toJson({ measured, ...run }: Outcome): object {
  return {
    ...run,
    rows: measured.flatMap(({ bench, rows }) => rows.map((row) => rowToJson(bench.name, row))),
    seconds: Object.fromEntries(measured.map(({ bench, seconds }) => [bench.name, seconds])),
    others_cores: Object.fromEntries(measured.map(({ bench, othersCores }) => [bench.name, othersCores])),
    skipped: measured.flatMap(({ bench, skipped }) => (skipped ? [{ bench: bench.name, reason: skipped }] : [])),
    failed: measured.flatMap(({ bench, failed }) => (failed ? [{ bench: bench.name, reason: failed }] : [])),
  };
}

function rowToJson(bench: string, row: Row): object {
  const { value, ratio, target, isMet } = judge(row);
  const { timesMs, name, unit, values, control, notes } = row;
  return { bench, name, unit, value, values, control, ratio, target, met: isMet, notes, ...percentilesOf(timesMs) };
}

function percentilesOf(timesMs: Row["timesMs"]): object {
  if (timesMs === undefined) return {};
  const shares = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999, max: 1 };
  const entries = Object.entries(timesMs).map(([name, times]) => [
    name,
    Object.fromEntries(Object.entries(shares).map(([label, share]) => [label, percentile(times, share)])),
  ]);
  return { percentiles_ms: Object.fromEntries(entries) };
}

/** Whether every bench ran and, unless the run was quick, every target was met. */
export function isGood({ measured, isQuick }: Outcome): boolean {
  const isMet = (row: Row) => isQuick || judge(row).isMet !== false;
  return measured.every(({ rows, failed }) => !failed && rows.every(isMet));
}
