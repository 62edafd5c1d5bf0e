import { BusError } from "./bus/errors.ts";

/** How one setting is read and shown. */
export interface Setting<T> {
  readonly flag: string;
  readonly help: string;
  /** The placeholder for the value in the help; none for a switch. */
  readonly unit?: string;
  readonly default: T;
  /** The default as the help shows it, if that is not the value itself. */
  readonly defaultText?: string;
  /** It may be given more than once; all values count. */
  readonly isRepeatable?: boolean;
  /** Its value must not be shown. */
  readonly isSecret?: boolean;
  /** Throws a `BusError` with a detail that says what is accepted. */
  readonly parse: (text: string) => T;
}

export const MINUTE_MS = 60_000;
const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: MINUTE_MS,
  h: 60 * MINUTE_MS,
  d: 1440 * MINUTE_MS,
};
const UNITS_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export function text(flag: string, unit: string, byDefault: string, help: string): Setting<string> {
  return { flag, unit, help, default: byDefault, parse: notEmpty };
}

/** A text without a default. */
export function given(flag: string, unit: string, help: string): Setting<string | undefined> {
  return { flag, unit, help, default: undefined, defaultText: "off", parse: notEmpty };
}

function notEmpty(value: string): string {
  if (value !== "") return value;
  throw invalid("must not be empty");
}

export function optionalText(flag: string, unit: string, help: string): Setting<string | undefined> {
  return { ...text(flag, unit, "", help), default: undefined, defaultText: "none" };
}

export function list(
  flag: string,
  unit: string,
  parseOne: (text: string) => string,
  help: string,
): Setting<readonly string[]> {
  const parse = (value: string) => {
    const parts = value.split(",").map((one) => one.trim().toLowerCase().replace(/\/$/, ""));
    return parts.filter((one) => one !== "").map(parseOne);
  };
  return { flag, unit, help, default: [], defaultText: "none", isRepeatable: true, parse };
}

/** Addresses of servers: a scheme of these, a host and perhaps a port. */
export function urls(flag: string, unit: string, schemes: readonly string[], help: string): Setting<readonly string[]> {
  return list(flag, unit, (value) => serverUrl(value, schemes), help);
}

function serverUrl(value: string, schemes: readonly string[]): string {
  const [, scheme = "", host = ""] = /^([a-z]+):\/\/([^\s/\\?#]+)$/.exec(value) ?? [];
  if (host.includes("@")) {
    throw invalid("must not contain a user or a password: they would be visible in the list of processes");
  }
  if (schemes.includes(scheme) && URL.canParse(value)) return value;
  throw invalid(`must be URLs such as ${schemes[0]}://a.example:4222,${schemes[0]}://b.example:4222, without a path`);
}

/** What JetStream takes as the name of a stream, and of a consumer and a subject made from it. */
export function streamName(value: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(value)) return value;
  throw invalid("must be 1 to 64 letters, digits, - or _");
}

/** As a browser sends it: without the default port of its scheme. Any other text would never match. */
export function originOf(value: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/\\?#@*]+$/.test(value) || !URL.canParse(value)) {
    throw invalid("must be an origin such as https://app.example.com: scheme, host and port, no path and no *");
  }
  const { origin } = new URL(value);
  // `null` is the origin for a scheme that is not one of the web.
  return origin === "null" ? value : origin;
}

export function hostName(value: string): string {
  if (/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/.test(value)) return value;
  throw invalid("must be a name or an address such as bus.example.com, without a scheme, a port or *");
}

export function flag(name: string, help: string): Setting<boolean> {
  const parse = (value: string) => {
    if (/^(true|1|yes)$/i.test(value)) return true;
    if (/^(false|0|no)$/i.test(value)) return false;
    throw invalid("must be true or false");
  };
  return { flag: name, help, default: false, defaultText: "off", parse };
}

export function choice<const T extends string>(
  flag: string,
  choices: readonly T[],
  byDefault: T,
  help: string,
): Setting<T> {
  const parse = (value: string) => {
    const found = choices.find((one) => one === value);
    if (found !== undefined) return found;
    throw invalid(`must be one of ${choices.join(", ")}`);
  };
  return { flag, unit: choices.join("|"), help, default: byDefault, parse };
}

export function whole<D extends number | undefined>(
  flag: string,
  low: number,
  high: number,
  byDefault: D,
  help: string,
): Setting<number | D> {
  const parse = (value: string) => {
    const number = Number(value);
    if (/^\d{1,15}$/.test(value) && number >= low && number <= high) return number;
    throw invalid(`must be a whole number from ${low} to ${high}`);
  };
  return { flag, unit: "number", help, default: byDefault, defaultText: String(byDefault ?? "off"), parse };
}

export function duration<D extends number | undefined>(
  flag: string,
  lowMs: number,
  highMs: number,
  byDefault: D,
  help: string,
): Setting<number | D> {
  const parse = (value: string) => {
    const valueMs = measure(value, UNITS_MS);
    if (valueMs !== undefined && valueMs >= lowMs && valueMs <= highMs) return valueMs;
    throw invalid(
      `must be a duration such as 500ms, 30s, 10m, 24h or 7d, from ${showDuration(lowMs)} to ${showDuration(highMs)}`,
    );
  };
  return { flag, unit: "duration", help, default: byDefault, defaultText: showDuration(byDefault), parse };
}

export function size<D extends number | undefined>(
  flag: string,
  low: number,
  high: number,
  byDefault: D,
  help: string,
): Setting<number | D> {
  const parse = (value: string) => {
    const bytes = measure(value, { "": 1, ...UNITS_BYTES });
    if (bytes !== undefined && bytes >= low && bytes <= high) return bytes;
    throw invalid(`must be a size such as 65536, 512KiB, 10MiB or 2GB, from ${showSize(low)} to ${showSize(high)}`);
  };
  return { flag, unit: "size", help, default: byDefault, defaultText: showSize(byDefault), parse };
}

/** Accepts `off` besides the values of the setting. */
export function optional<T>(setting: Setting<T>): Setting<T | undefined> {
  return { ...setting, help: setting.help, parse: (value) => (value === "off" ? undefined : setting.parse(value)) };
}

function measure(value: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15}(?:\.\d{1,3})?) ?([A-Za-z]*)$/.exec(value) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return digits === undefined || factor === undefined ? undefined : Math.round(Number(digits) * factor);
}

function showDuration(valueMs: number | undefined): string {
  if (valueMs === undefined) return "off";
  const unit = ["d", "h", "m", "s"].find((one) => valueMs >= (UNITS_MS[one] ?? 0)) ?? "ms";
  return `${Math.floor(valueMs / (UNITS_MS[unit] ?? 1))}${unit}`;
}

function showSize(bytes: number | undefined): string {
  if (bytes === undefined) return "off";
  const unit = ["TiB", "GiB", "MiB", "KiB"].find((one) => bytes >= (UNITS_BYTES[one] ?? 0)) ?? "B";
  return `${Math.floor(bytes / (UNITS_BYTES[unit] ?? 1))}${unit}`;
}

export function invalid(detail: string): BusError {
  return new BusError("parameter_invalid", detail);
}
