import { BusError } from "../../bus/errors.ts";
import { MAX_HISTORY_LIMIT } from "../../bus/options.ts";
import { parseSince, type Start } from "../../bus/start.ts";
import { requireAssigned } from "./assigned-id.ts";
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
  if (start.kind === "after") requireAssigned("since", start.id, highestId);
  if (count === undefined) return start;
  if (since.length === 0) return { kind: "last", count };
  throw new BusError("parameter_invalid", "since and last are mutually exclusive: give at most one", {
    members: { parameter: "last" },
  });
}
