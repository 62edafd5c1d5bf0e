import { BusError } from "./errors.ts";

/** Where a subscriber starts. */
export type Start =
  /** With the next event published. */
  | { readonly kind: "live" }
  /** The same, requested explicitly: an empty replay with its end reported. */
  | { readonly kind: "now" }
  /** After this event. */
  | { readonly kind: "after"; readonly id: number }
  /** With the first event of this time or later, in milliseconds since 1970. */
  | { readonly kind: "time"; readonly timeMs: number }
  /** With the first event published less than this many milliseconds ago. */
  | { readonly kind: "ago"; readonly durationMs: number }
  /** With the oldest event kept. */
  | { readonly kind: "all" }
  /** With this many of the newest matching events. */
  | { readonly kind: "last"; readonly count: number };

/** A point in time: absolute, or relative to the time of the query. */
export type Moment = Extract<Start, { readonly kind: "time" | "ago" }>;

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?)([Zz]|[+ -]\d\d:\d\d)$/;

/**
 * Reads `since`: an id, an RFC 3339 time, a duration such as `10m`, `all` or `now`. Throws
 * `parameter_invalid` with a message that lacks its subject: "must be …".
 */
export function parseSince(text: string): Start {
  if (text === "all") return { kind: "all" };
  if (text === "now") return { kind: "now" };
  if (/^\d{1,15}$/.test(text)) return { kind: "after", id: Number(text) };
  const moment = momentOf(text);
  if (moment !== undefined) return moment;
  throw new BusError(
    "parameter_invalid",
    "must be an event id, an RFC 3339 time, a duration such as 30s, 10m, 24h or 7d, all, or now",
  );
}

/** Reads an RFC 3339 time, or a duration such as `10m`. Throws as {@link parseSince}. */
export function parseMoment(text: string): Moment {
  const moment = momentOf(text);
  if (moment !== undefined) return moment;
  throw new BusError(
    "parameter_invalid",
    "must be an RFC 3339 time such as 2026-11-23T14:30:00Z, or a duration ago such as 30s, 10m, 24h or 7d",
  );
}

/** The moment in milliseconds since 1970. */
export function momentMs(moment: Moment, nowMs: number): number {
  return moment.kind === "time" ? moment.timeMs : nowMs - moment.durationMs;
}

/** Milliseconds since 1970 of an RFC 3339 time; undefined if the text is not one. Finer digits are truncated. */
export function parseTime(text: string): number | undefined {
  const [, date = "", time = "", zone = ""] = RFC_3339.exec(text) ?? [];
  // A plus sign that was not percent-encoded arrives as a space.
  const timeMs = Date.parse(`${date}T${time}${zone.replace(" ", "+").toUpperCase()}`);
  return Number.isNaN(timeMs) || !isInCalendar(date) ? undefined : timeMs;
}

function momentOf(text: string): Moment | undefined {
  const duration = /^(\d{1,9})([smhd])$/.exec(text);
  if (duration) return { kind: "ago", durationMs: Number(duration[1]) * (UNIT_MS[duration[2] ?? ""] ?? 0) };
  const timeMs = parseTime(text);
  return timeMs === undefined ? undefined : { kind: "time", timeMs };
}

/** `Date.parse` reads 30 February as 2 March. */
function isInCalendar(date: string): boolean {
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date);
}
