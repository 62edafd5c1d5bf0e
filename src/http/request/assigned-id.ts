import { BusError } from "../../bus/errors.ts";

/** What to give instead of an id that was never assigned, for each parameter that takes one. */
const HINTS = {
  since: {
    time: (time: string) => `if it is a time, write ${time}`,
    other: "give an id that you received, a time, all or now",
  },
  after: {
    time: (time: string) => `if it is a time, write from=${time}`,
    other:
      "if you received it, the history is a different one, for example restored from an older backup: start again with after=0",
  },
} as const;

/**
 * Throws `parameter_invalid` if the id is above `highestId`: it was never assigned here. The head is not included: it
 * would reveal how many events there are, including topics that the caller may not read.
 */
export function requireAssigned(parameter: keyof typeof HINTS, id: number, highestId: number): void {
  if (id <= highestId) return;
  const time = unixTime(id);
  const hint = time === undefined ? HINTS[parameter].other : HINTS[parameter].time(time);
  const detail = `the query parameter ${parameter} is above the id of the newest event: ${hint}`;
  throw new BusError("parameter_invalid", detail, { members: { parameter } });
}

/** Seconds, or milliseconds, since 1970 of the years 2001 to 2286 as RFC 3339; undefined for other numbers. */
function unixTime(value: number): string | undefined {
  const seconds = value >= 1e12 ? value / 1000 : value;
  return seconds >= 1e9 && seconds < 1e10 ? `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z` : undefined;
}
