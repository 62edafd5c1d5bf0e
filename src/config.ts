import { BusError } from "./bus/errors.ts";
import { DEFAULT_MAX_WAITING_BYTES } from "./http/waiting.ts";
import { nearest } from "./text/nearest.ts";

/** How one setting is read and shown. */
export interface Setting<T> {
  readonly flag: string;
  readonly help: string;
  /** What the help shows as the value's place; none for a switch. */
  readonly unit?: string;
  readonly default: T;
  /** What the help says of the default, when the value itself does not. */
  readonly defaultText?: string;
  /** Given more than once, it takes all of them. */
  readonly isRepeatable?: boolean;
  /** Its value must not be shown. */
  readonly isSecret?: boolean;
  /** Throws `BusError` with a detail that says what would be right. */
  readonly parse: (text: string) => T;
}

const MINUTE_MS = 60_000;
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

/** The longest interval a timer of JavaScript can take, in milliseconds: 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** 100 years: an age beyond it is a slip. */
const MAX_AGE_MS = 36_525 * 1440 * MINUTE_MS;

/** Every setting there is: flags, environment, help and documentation come from here. */
export const settings = {
  host: text(
    "--host",
    "address",
    "127.0.0.1",
    "address to listen on; beyond loopback a token or --allow-anonymous is needed",
  ),
  port: whole("--port", 0, 65_535, 9800, "port to listen on; 0 takes any free one"),
  db: text("--db", "file", "./eventbus.db", "file of the history; :memory: keeps nothing"),
  durability: choice(
    "--durability",
    ["fsync", "os"],
    "fsync",
    "when an event counts as kept: on disk, or with the operating system",
  ),
  maxHistory: optional(whole("--max-history", 1, 1e12, 100_000, "newest events to keep; off keeps all")),
  maxAge: optional(duration("--max-age", 1000, MAX_AGE_MS, undefined, "age at which an event goes")),
  maxBytes: optional(size("--max-bytes", 2 ** 20, 2 ** 50, undefined, "bytes that the history may take on disk")),
  pruneInterval: duration(
    "--prune-interval",
    100,
    MAX_TIMER_MS,
    MINUTE_MS,
    "how often the three rules above are applied",
  ),
  maxBody: size(
    "--max-body",
    1024,
    2 ** 26,
    2 ** 20,
    "largest event that can be published; an NDJSON body may have ten times as much",
  ),
  maxConnections: whole("--max-connections", 1, 1e6, 10_000, "subscribers at a time"),
  maxPatterns: whole("--max-patterns", 1, 1024, 64, "patterns of one subscriber"),
  maxWaiting: size(
    "--max-waiting",
    2 ** 20,
    2 ** 40,
    DEFAULT_MAX_WAITING_BYTES,
    "all that may wait in the server for readers; those with the most waiting are served from history first",
  ),
  rateLimit: optional(
    whole(
      "--rate-limit",
      1,
      1e6,
      undefined,
      "events a second that one token, or one address without a token, may publish",
    ),
  ),
  tlsCert: optionalText("--tls-cert", "file", "certificate chain in PEM: serve HTTPS and WSS only"),
  tlsKey: optionalText("--tls-key", "file", "private key of the certificate, in PEM"),
  allowedOrigins: list(
    "--allowed-origin",
    "origin",
    originOf,
    "origin of browser pages that may use the server, beside its own; repeatable",
  ),
  allowedHosts: list(
    "--allowed-host",
    "name",
    hostName,
    "Host that is accepted on a loopback address, beside loopback names; repeatable",
  ),
  allowAnonymous: flag("--allow-anonymous", "let everybody publish and read, on any address"),
  jwtSecret: {
    ...given("--jwt-secret", "text", "key of the JSON Web Tokens (HS256) that are accepted, 32 bytes or more"),
    isSecret: true,
  },
  jwtPublicKey: given("--jwt-public-key", "file", "public key (PEM) of the JSON Web Tokens that are accepted"),
  jwksUrl: given("--jwks-url", "url", "where the public keys (JWKS) of the JSON Web Tokens that are accepted are"),
  jwtIssuer: given("--jwt-issuer", "text", "what the claim iss of every JSON Web Token must be"),
  jwtAudience: given("--jwt-audience", "text", "what must be among the claim aud of every JSON Web Token"),
  logLevel: choice(
    "--log-level",
    ["debug", "info", "warn", "error", "silent"],
    "info",
    "least severity that is logged",
  ),
  logFormat: choice("--log-format", ["text", "json"], "text", "how log lines look"),
  accessLog: flag("--access-log", "log one line for each request"),
} as const;

export type Config = {
  readonly [K in keyof typeof settings]: (typeof settings)[K] extends Setting<infer T> ? T : never;
};
export type Key = keyof typeof settings;

/** What was said on the command line: each flag's texts, in order. A switch has the text `true`. */
export type Flags = Readonly<Partial<Record<string, readonly string[]>>>;

export type Environment = Readonly<Record<string, string | undefined>>;

export const CONFIG_FLAG = "--config";
const CONFIG_NAME = environmentName({ flag: CONFIG_FLAG });

export function environmentName(setting: { readonly flag: string }): string {
  return `EVENTBUS_${setting.flag.slice(2).replaceAll("-", "_").toUpperCase()}`;
}

/** The name of a setting in a configuration file. */
export function fileKey(setting: { readonly flag: string }): string {
  return setting.flag.slice(2);
}

/** What a configuration file says, by the setting's flag: each one's texts, in order. */
export interface FileValues {
  readonly path: string;
  readonly values: Flags;
}

/** Where a value comes from, the strongest first. */
export type Origin = "flag" | "environment" | "file" | "default";

/** The configuration, and where each value of it comes from. */
export interface Resolved {
  readonly config: Config;
  readonly origins: Readonly<Record<Key, Origin>>;
}

/** As `resolveConfig`, without a file. */
export function readConfig(flags: Flags, environment: Environment = process.env): Config {
  return resolveConfig(flags, environment).config;
}

/**
 * Flags win over the environment, which wins over the file, which wins over the defaults. An empty variable counts as
 * not set. Throws `parameter_invalid` or `parameter_unknown`.
 */
export function resolveConfig(flags: Flags, environment: Environment = process.env, file?: FileValues): Resolved {
  refuseUnknown(environment);
  const config: Partial<Record<Key, unknown>> = {};
  const origins: Partial<Record<Key, Origin>> = {};
  for (const [key, setting] of Object.entries(settings) as [Key, Setting<unknown>][]) {
    const given = strongest(setting, flags, environment, file);
    config[key] = given === undefined ? setting.default : read(setting, given.texts, given.where);
    origins[key] = given?.origin ?? "default";
  }
  return { config: Object.freeze(config) as Config, origins: Object.freeze(origins) as Record<Key, Origin> };
}

/** The path of the configuration file: the flag's, or that of `EVENTBUS_CONFIG`; undefined when neither names one. */
export function configPath(flags: Flags, environment: Environment = process.env): string | undefined {
  const given = flags[CONFIG_FLAG];
  if (given !== undefined && given.length > 1) throw invalid(`${CONFIG_FLAG} is given more than once`);
  if (given?.[0] === "") throw invalid(`${CONFIG_FLAG} must not be empty`);
  return given?.[0] ?? (environment[CONFIG_NAME] || undefined);
}

interface Given {
  readonly texts: readonly string[];
  readonly origin: Origin;
  /** What an error calls the place. */
  readonly where: string;
}

function strongest(
  setting: Setting<unknown>,
  flags: Flags,
  environment: Environment,
  file: FileValues | undefined,
): Given | undefined {
  const { flag } = setting;
  const name = environmentName(setting);
  const inFlags = flags[flag];
  if (inFlags !== undefined) return { texts: inFlags, origin: "flag", where: flag };
  const inEnvironment = environment[name];
  if (inEnvironment) return { texts: [inEnvironment], origin: "environment", where: name };
  const inFile = file?.values[flag];
  return inFile && { texts: inFile, origin: "file", where: `${file?.path}: ${fileKey(setting)}` };
}

function read(setting: Setting<unknown>, given: readonly string[], where: string): unknown {
  try {
    if (given.length > 1 && !setting.isRepeatable) throw invalid("is given more than once");
    return setting.parse(given.join(","));
  } catch (error) {
    const reason = error instanceof BusError ? error.message : String(error);
    throw new BusError("parameter_invalid", `${where} ${reason}`, { members: { parameter: where } });
  }
}

/** The environment of this process. */
export function environment(): Environment {
  return process.env;
}

/** The environment of this process, and more, for a process that it starts. */
export function childEnvironment(more: Readonly<Record<string, string>>): Record<string, string | undefined> {
  return { ...process.env, ...more };
}

/** Not settings: where the file is, and what the client commands read. */
const OTHER_NAMES = [CONFIG_NAME, "EVENTBUS_URL", "EVENTBUS_TOKEN"];

function refuseUnknown(environment: Environment): void {
  const names = [...Object.values(settings).map(environmentName), ...OTHER_NAMES];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith("EVENTBUS_") || name.startsWith("EVENTBUS_TEST_") || names.includes(name)) continue;
    const guess = nearest(name, names);
    const hint = guess === undefined ? "" : `; did you mean ${guess}?`;
    throw new BusError("parameter_unknown", `the environment variable ${name} is not known${hint}`);
  }
}

function text(flag: string, unit: string, byDefault: string, help: string): Setting<string> {
  return { flag, unit, help, default: byDefault, parse: notEmpty };
}

/** A text without a default. */
function given(flag: string, unit: string, help: string): Setting<string | undefined> {
  return { flag, unit, help, default: undefined, defaultText: "off", parse: notEmpty };
}

function notEmpty(value: string): string {
  if (value !== "") return value;
  throw invalid("must not be empty");
}

function optionalText(flag: string, unit: string, help: string): Setting<string | undefined> {
  return { ...text(flag, unit, "", help), default: undefined, defaultText: "none" };
}

function list(
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

/** As a browser sends it: without the port that its scheme has anyway. Another text would never match. */
function originOf(value: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/\\?#@*]+$/.test(value) || !URL.canParse(value)) {
    throw invalid("must be an origin such as https://app.example.com: scheme, host and port, no path and no *");
  }
  const { origin } = new URL(value);
  // What a scheme that is not of the web has.
  return origin === "null" ? value : origin;
}

function hostName(value: string): string {
  if (/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/.test(value)) return value;
  throw invalid("must be a name or an address such as bus.example.com, without a scheme, a port or *");
}

function flag(name: string, help: string): Setting<boolean> {
  const parse = (value: string) => {
    if (/^(true|1|yes)$/i.test(value)) return true;
    if (/^(false|0|no)$/i.test(value)) return false;
    throw invalid("must be true or false");
  };
  return { flag: name, help, default: false, defaultText: "off", parse };
}

function choice<const T extends string>(flag: string, choices: readonly T[], byDefault: T, help: string): Setting<T> {
  const parse = (value: string) => {
    const found = choices.find((one) => one === value);
    if (found !== undefined) return found;
    throw invalid(`must be one of ${choices.join(", ")}`);
  };
  return { flag, unit: choices.join("|"), help, default: byDefault, parse };
}

function whole<D extends number | undefined>(
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

function duration<D extends number | undefined>(
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

function size<D extends number | undefined>(
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

/** Takes `off` beside what the setting takes. */
function optional<T>(setting: Setting<T>): Setting<T | undefined> {
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

function invalid(detail: string): BusError {
  return new BusError("parameter_invalid", detail);
}
