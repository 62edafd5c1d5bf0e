/** `14:30:00.123` of an RFC 3339 time, in the reader's time zone. */
export function clock(createdAt: string): string {
  const time = new Date(createdAt);
  if (Number.isNaN(time.getTime())) return createdAt;
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0"));
  return `${parts.join(":")}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

/** `2026-11-23 14:30:00.123`, in the reader's time zone. */
export function dateAndClock(createdAt: string): string {
  const time = new Date(createdAt);
  return Number.isNaN(time.getTime()) ? createdAt : `${dateOf(time)} ${clock(createdAt)}`;
}

/** The reader's time zone, by its name, as its offset changes with daylight saving time. */
export const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What an `<input type="datetime-local">` shows for an RFC 3339 time; empty if it is not one. */
export function toLocalInput(rfc3339: string | undefined): string {
  const time = new Date(rfc3339 ?? "");
  return Number.isNaN(time.getTime()) ? "" : `${dateOf(time)}T${clock(time.toISOString()).slice(0, 8)}`;
}

/** The reverse: RFC 3339 in UTC; empty if nothing was chosen. */
export function fromLocalInput(local: string): string {
  const time = new Date(local);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString();
}

function dateOf(time: Date): string {
  const parts = [time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, "0"));
  return [time.getFullYear(), ...parts].join("-");
}

const number = new Intl.NumberFormat("en");

/** `1,234,567`. */
export function count(value: number): string {
  return number.format(value);
}

/** `events`, or `event` when there is one. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Two or three significant digits: `0.25`, `12.5`, `1,234`. */
export function measure(value: number): string {
  if (value !== 0 && Math.abs(value) < 0.01) return value.toPrecision(1);
  const size = Math.abs(value);
  if (size >= 1000) return count(Math.round(value));
  return (size < 10 ? twoDigits : threeDigits).format(value);
}

const twoDigits = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const threeDigits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1.5 MiB`. */
export function bytes(value: number): string {
  let [size, unit] = [value, 0];
  while (size >= 1024 && unit < UNITS.length - 1) [size, unit] = [size / 1024, unit + 1];
  return `${measure(size)} ${UNITS[unit]}`;
}

const STEPS = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** The two largest units of a duration: `3 d 4 h`, `12 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const at = STEPS.findIndex(([, size]) => whole >= size);
  const [[unit, size] = ["s", 1] as const, next] = [STEPS[at], STEPS[at + 1]];
  const rest = next === undefined || at === -1 ? 0 : Math.floor((whole % size) / next[1]);
  const first = `${Math.floor(whole / size)} ${unit}`;
  return rest === 0 || next === undefined ? first : `${first} ${rest} ${next[0]}`;
}
