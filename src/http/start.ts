import { MAX_HISTORY_LIMIT } from "../bus/bus.ts";
import { BusError } from "../bus/errors.ts";
import { parseSince, type Start } from "../bus/start.ts";
import { integer, type Parameter, text } from "./query.ts";

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
