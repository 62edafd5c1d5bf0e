import { BusError } from "./bus/errors.ts";
import { parseNetwork } from "./http/access/network.ts";
import { DEFAULT_MAX_WAITING_BYTES } from "./http/limits/waiting.ts";
import {
  choice,
  duration,
  flag,
  given,
  hostName,
  invalid,
  list,
  MINUTE_MS,
  optional,
  optionalText,
  originOf,
  type Setting,
  size,
  streamName,
  text,
  urls,
  whole,
} from "./setting-kinds.ts";
import { nearest } from "./text/nearest.ts";

/** The longest interval a timer of JavaScript can take, in milliseconds: 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** 100 years: an age beyond it is a mistake. */
const MAX_AGE_MS = 36_525 * 1440 * MINUTE_MS;

/** An NDJSON body may be this many times as large as one event. */
export const NDJSON_FACTOR = 10;

/** All settings: flags, environment, help and documentation come from here. */
export const settings = {
  host: text(
    "--host",
    "address",
    "127.0.0.1",
    "address to listen on; other than loopback requires a token or --allow-anonymous",
  ),
  port: whole("--port", 0, 65_535, 9800, "port to listen on; 0 picks a free one"),
  db: text("--db", "file", "./eventbus.db", "history file; :memory: stores nothing on disk"),
  durability: choice(
    "--durability",
    ["fsync", "os"],
    "fsync",
    "when an event counts as stored: once on disk, or once handed to the operating system",
  ),
  maxHistory: optional(whole("--max-history", 1, 1e12, 100_000, "maximum number of events to keep; off keeps all")),
  maxAge: optional(duration("--max-age", 1000, MAX_AGE_MS, undefined, "age at which events are removed")),
  maxBytes: optional(size("--max-bytes", 2 ** 20, 2 ** 50, undefined, "maximum size of the history on disk")),
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
    "maximum size of an event to publish; an NDJSON body may be ten times as large",
  ),
  maxConnections: whole("--max-connections", 1, 1e6, 10_000, "maximum number of concurrent subscribers"),
  maxPatterns: whole("--max-patterns", 1, 1024, 64, "maximum number of patterns per subscriber"),
  maxWaiting: size(
    "--max-waiting",
    2 ** 20,
    2 ** 40,
    DEFAULT_MAX_WAITING_BYTES,
    "maximum output waiting in the server for readers; those with the most waiting are the first to be served from history",
  ),
  maxKeys: whole(
    "--max-keys",
    1,
    1e8,
    1_000_000,
    "maximum number of idempotency keys to remember; with more, the oldest are forgotten before their ten minutes are over",
  ),
  rateLimit: optional(
    whole(
      "--rate-limit",
      1,
      1e6,
      undefined,
      "events per second that each token, or each address without a token, may publish",
    ),
  ),
  tlsCert: optionalText("--tls-cert", "file", "certificate chain in PEM; only HTTPS and WSS are served"),
  tlsKey: optionalText("--tls-key", "file", "private key of the certificate, in PEM"),
  allowedOrigins: list(
    "--allowed-origin",
    "origin",
    originOf,
    "origin of browser pages that may use the server, besides its own; repeatable",
  ),
  allowedHosts: list(
    "--allowed-host",
    "name",
    hostName,
    "Host to accept on a loopback address, besides loopback names; repeatable",
  ),
  trustedProxies: list(
    "--trusted-proxy",
    "cidr",
    (value) => parseNetwork(value).text,
    "address or range of proxies whose X-Forwarded-* and Forwarded headers count; repeatable",
  ),
  pushAllow: list(
    "--push-allow",
    "cidr",
    (value) => parseNetwork(value).text,
    "address or range that is not public, to which consumers may push; repeatable",
  ),
  allowAnonymous: flag("--allow-anonymous", "allow everyone to publish and read, on any address"),
  jwtSecret: {
    ...given("--jwt-secret", "text", "key for accepting JSON Web Tokens (HS256), at least 32 bytes"),
    isSecret: true,
  },
  jwtPublicKey: given("--jwt-public-key", "file", "public key (PEM) for accepting JSON Web Tokens"),
  jwksUrl: given("--jwks-url", "url", "URL of the public keys (JWKS) for accepting JSON Web Tokens"),
  jwtIssuer: given("--jwt-issuer", "text", "required value of the claim iss of every JSON Web Token"),
  jwtAudience: given("--jwt-audience", "text", "required value in the claim aud of every JSON Web Token"),
  cluster: urls(
    "--cluster",
    "nats-url",
    ["nats", "tls"],
    "NATS servers whose JetStream orders the events of several nodes; repeatable",
  ),
  clusterName: {
    ...text("--cluster-name", "name", "eventbus", "name of the cluster, and of its stream in JetStream"),
    parse: streamName,
  },
  clusterReplicas: whole("--cluster-replicas", 1, 5, 3, "copies of the stream, on different NATS servers"),
  clusterCreds: optionalText("--cluster-creds", "file", "credentials file for NATS"),
  clusterToken: { ...given("--cluster-token", "text", "token for NATS"), isSecret: true },
  clusterTlsCa: optionalText("--cluster-tls-ca", "file", "authority of the certificates of NATS, in PEM; requires TLS"),
  clusterTlsCert: optionalText("--cluster-tls-cert", "file", "certificate of this node for NATS, in PEM"),
  clusterTlsKey: optionalText("--cluster-tls-key", "file", "private key of that certificate, in PEM"),
  clusterMonitor: urls(
    "--cluster-monitor",
    "http-url",
    ["http", "https"],
    "monitoring ports of the NATS servers, to verify that they sync to disk before they acknowledge; repeatable",
  ),
  logLevel: choice("--log-level", ["debug", "info", "warn", "error", "silent"], "info", "lowest severity to log"),
  logFormat: choice("--log-format", ["text", "json"], "text", "format of log lines"),
  accessLog: flag("--access-log", "log one line per request"),
} as const;

export type Config = {
  readonly [K in keyof typeof settings]: (typeof settings)[K] extends Setting<infer T> ? T : never;
};
export type Key = keyof typeof settings;

/** The flags of the command line: the texts of each, in order. A switch has the text `true`. */
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

/** The contents of a configuration file: the texts of each setting, in order, by its flag. */
export interface FileValues {
  readonly path: string;
  readonly values: Flags;
}

/** Where a value comes from, in descending order of precedence. */
export type Origin = "flag" | "environment" | "file" | "default";

/** The configuration, and where each value of it comes from. */
export interface Resolved {
  readonly config: Config;
  readonly origins: Readonly<Record<Key, Origin>>;
  /** Variables that were ignored, as they describe another container: see `LINK_NAME`. */
  readonly passedOver: readonly string[];
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
  const passedOver = Object.keys(environment).filter((name) => isServiceLink(name, environment[name]));
  const own: Environment = Object.fromEntries(
    Object.entries(environment).filter(([name]) => !passedOver.includes(name)),
  );
  refuseUnknown(own);
  const config: Partial<Record<Key, unknown>> = {};
  const origins: Partial<Record<Key, Origin>> = {};
  for (const [key, setting] of Object.entries(settings) as [Key, Setting<unknown>][]) {
    const given = strongest(setting, flags, own, file);
    config[key] = given === undefined ? setting.default : read(setting, given.texts, given.where);
    origins[key] = given?.origin ?? "default";
  }
  return {
    config: Object.freeze(config) as Config,
    origins: Object.freeze(origins) as Record<Key, Origin>,
    passedOver,
  };
}

/** The path of the configuration file: the flag's, or that of `EVENTBUS_CONFIG`; undefined if neither names one. */
export function configPath(flags: Flags, environment: Environment = process.env): string | undefined {
  const given = flags[CONFIG_FLAG];
  if (given !== undefined && given.length > 1) throw invalid(`${CONFIG_FLAG} is given more than once`);
  if (given?.[0] === "") throw invalid(`${CONFIG_FLAG} must not be empty`);
  return given?.[0] ?? (environment[CONFIG_NAME] || undefined);
}

interface Given {
  readonly texts: readonly string[];
  readonly origin: Origin;
  /** The name of the place in errors. */
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

/** The environment for a child process: that of this process, and more. */
export function childEnvironment(more: Readonly<Record<string, string>>): Record<string, string | undefined> {
  return { ...process.env, ...more };
}

/** Variables that are not settings: the path of the file, and what the client commands read. */
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

/** Set by Docker's links and by Kubernetes in containers beside a container, or a Service, called `eventbus`. */
const LINK_NAME = /^EVENTBUS_(?:SERVICE_.*|PORT_.*|ENV_.*|NAME)$/;
const LINK_PORT = /^(?:tcp|udp|sctp):\/\//;

/** Whether a variable describes another container, although it looks like a setting. */
function isServiceLink(name: string, value: string | undefined): boolean {
  return LINK_NAME.test(name) || (name === "EVENTBUS_PORT" && value !== undefined && LINK_PORT.test(value));
}
