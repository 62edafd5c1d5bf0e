import { BusError } from "../../bus/errors.ts";
import { MAX_HISTORY_LIMIT } from "../../bus/options.ts";
import { parseSince, type Start } from "../../bus/start.ts";
import { integer, type Parameter, text } from "./query.ts";

export const sinceParameter: Parameter<Start> = text(
  parseSince,
  "Where to start: after this event id; an RFC 3339 time; a duration such as `30s`, `10m`, `24h`, `7d`; `all`; `now`. An id above the newest one is rejected.",
);

export const lastParameter: Parameter<number> = integer(
  1,
  MAX_HISTORY_LIMIT,
  "Start with this many of the newest matching events. Cannot be combined with `since`.",
);

/**
 * The start that a request specifies. Throws `parameter_invalid` if it specifies two, or if `since` is an id above
 * `highestId`: it was never assigned, and most likely was not meant to be an id.
 */
export function startOf(since: readonly Start[], last: readonly number[], highestId: number): Start {
  const [count] = last;
  const [start = { kind: "live" }] = since;
  if (start.kind === "after" && start.id > highestId) throw notGiven(start.id);
  if (count === undefined) return start;
  if (since.length === 0) return { kind: "last", count };
  throw new BusError("parameter_invalid", "since and last are mutually exclusive: give at most one", {
    members: { parameter: "last" },
  });
}

/**
 * The head is not included: it would reveal how many events there are, including topics that the caller may not read.
 */
function notGiven(id: number): BusError {
  const time = unixTime(id);
  const hint =
    time === undefined ? "give an id that you received, a time, all or now" : `if it is a time, write ${time}`;
  return new BusError("parameter_invalid", `the query parameter since is above the id of the newest event: ${hint}`, {
    members: { parameter: "since" },
  });
}

/** Seconds, or milliseconds, since 1970 of the years 2001 to 2286 as RFC 3339; undefined for other numbers. */
function unixTime(value: number): string | undefined {
  const seconds = value >= 1e12 ? value / 1000 : value;
  return seconds >= 1e9 && seconds < 1e10 ? `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z` : undefined;
}
