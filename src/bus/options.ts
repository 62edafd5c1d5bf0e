import type { ControlMessage } from "../protocol/frames.ts";
import { BusError } from "./errors.ts";
import { parseSince, type Start } from "./start.ts";

/** The maximum number of events that one history query returns. */
export const MAX_HISTORY_LIMIT = 10_000;
export const DEFAULT_HISTORY_LIMIT = 50;
export interface SubscribeOptions {
  /**
   * Where to start: after this event id, at this time, or as the text says: an RFC 3339 time, a duration such as `10m`,
   * `all`, `now`. Default: with the next event that is published.
   */
  since?: number | Date | string;
  /** Start with this many of the newest matching events, 1 to 10,000; mutually exclusive with `since`. */
  last?: number;
  /**
   * Called, in order with the events, when retention removed events before they were read, and at the end of a replay.
   */
  onControl?: (message: ControlMessage) => void;
}

/** The events of `historyByTimeRange`. */
export interface TimeRange {
  /** Inclusive. */
  from?: Date;
  /** Inclusive. */
  to?: Date;
  source?: string;
  /** Default `*`. */
  pattern?: string;
  /** 1 to 10,000; default 50. */
  limit?: number;
}

/** Where a subscriber starts by its options. Throws `parameter_invalid`. */
export function startOf({ since, last }: SubscribeOptions): Start {
  if (last !== undefined) {
    if (since === undefined) return { kind: "last", count: checkedLimit(last) };
    throw new BusError("parameter_invalid", "since and last are mutually exclusive: give at most one");
  }
  if (since === undefined) return { kind: "live" };
  return since instanceof Date ? { kind: "time", timeMs: timeOf(since) } : sinceOf(String(since));
}

function sinceOf(text: string): Start {
  try {
    return parseSince(text);
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    throw new BusError(error.code, `since ${error.message}`, { members: { parameter: "since" }, cause: error });
  }
}

/** Milliseconds since 1970. Throws `parameter_invalid`. */
export function timeOf(date: Date): number {
  const timeMs = date.getTime();
  if (!Number.isNaN(timeMs)) return timeMs;
  throw new BusError("parameter_invalid", "a time must be a valid Date");
}

/** Returns the limit if it is valid. Throws `parameter_invalid`. */
export function checkedLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_HISTORY_LIMIT) return limit;
  throw new BusError("parameter_invalid", `a history limit is a whole number from 1 to ${MAX_HISTORY_LIMIT}`, {
    members: { limit: MAX_HISTORY_LIMIT },
  });
}
