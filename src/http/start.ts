import { MAX_HISTORY_LIMIT } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import type { Start } from "../protocol/cursor.ts";
import { integer, type Parameter, parseTime, text } from "./query.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `since`: an id, an RFC 3339 time, a duration such as `10m`, `all` or `now`. Throws `parameter_invalid`. */
export function parseSince(value: string): Start {
  if (value === "all") return { kind: "all" };
  if (value === "now") return { kind: "live" };
  if (/^\d{1,15}$/.test(value)) return { kind: "after", id: Number(value) };
  const duration = /^(\d{1,9})([smhd])$/.exec(value);
  if (duration) return { kind: "ago", durationMs: Number(duration[1]) * (UNIT_MS[duration[2] ?? ""] ?? 0) };
  const timeMs = parseTime(value);
  if (timeMs !== undefined) return { kind: "time", timeMs };
  throw new BusError(
    "parameter_invalid",
    "must be an event id, an RFC 3339 time, a duration such as 30s, 10m, 24h or 7d, all, or now",
  );
}

export const sinceParameter: Parameter<Start> = text(
  parseSince,
  "Where to start: after this event id; an RFC 3339 time; a duration such as `30s`, `10m`, `24h`, `7d`; `all`; `now`.",
);

export const lastParameter: Parameter<number> = integer(
  1,
  MAX_HISTORY_LIMIT,
  "Start with the newest events that match, this many of them. Not together with `since`.",
);

/** The one start that a request names. Throws `parameter_invalid` when it names two. */
export function startOf(since: readonly Start[], last: readonly number[]): Start {
  const [count] = last;
  const [start = { kind: "live" }] = since;
  if (count === undefined) return start;
  if (since.length === 0) return { kind: "last", count };
  throw new BusError("parameter_invalid", "since and last exclude each other: give at most one", {
    members: { parameter: "last" },
  });
}
