import { BusError } from "../errors.ts";

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** Reads a duration such as `30s`, in milliseconds. Throws `parameter_invalid`. */
export function durationOf(parameter: string, value: unknown, lowMs: number, highMs: number): number {
  const [, number = "", unit = ""] = (typeof value === "string" && /^(\d{1,9})(ms|s|m|h|d)$/.exec(value)) || [];
  const ms = Number(number) * (UNITS.find(([name]) => name === unit)?.[1] ?? Number.NaN);
  if (ms >= lowMs && ms <= highMs) return ms;
  throw new BusError(
    "parameter_invalid",
    `${parameter} must be a duration from ${formatDuration(lowMs)} to ${formatDuration(highMs)}, such as "30s" or "1m"`,
    { members: { parameter } },
  );
}

/** The duration as `durationOf` reads it. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  const [unit, size] = UNITS.find(([, size]) => ms % size === 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}
