import { type Command, InvalidArgumentError, Option } from "commander";
import { connect, type EventBusClient, EventBusError } from "../client/index.ts";
import { settings } from "../config.ts";
import { type NamedProxy, outboundFetch, proxyOf } from "../proxy.ts";
import { patternHint } from "../text/pattern-hint.ts";

/** The options of every client command: the address of the server, and the token. */
export interface ConnectionOptions {
  readonly url: string;
  readonly token?: string;
  readonly wait?: boolean;
}

/** The address at which `serve` listens by default. */
const DEFAULT_URL = `http://${settings.host.default}:${settings.port.default}`;
const BROKEN = "the connection broke";
/** How long `--wait` and a publish of lines retry: well within the ten minutes for which keys are kept. */
export const PATIENT_MS = 9 * 60 * 1000;
/** How long a call is retried if the server has responded before, or reports a temporary error, in milliseconds. */
const IMPATIENT_MS = 30_000;
/** A connection that could not be made; the message says why. */
class ConnectFailure extends EventBusError {}

/** How long to wait for a response that shows that there is a server, in milliseconds. */
const PROBE_MS = 3000;

/** Gives a command the flags that name the server and the token. */
export function withServer(command: Command): Command {
  return command
    .addOption(
      new Option("--url <url>", "address of the server, or those of several nodes, with commas")
        .env("EVENTBUS_URL")
        .default(DEFAULT_URL),
    )
    .addOption(new Option("--token <token>", "secret of a token that allows the command").env("EVENTBUS_TOKEN"));
}

/** As {@link withServer}, for commands that can wait for a server that is not up yet. */
export function withConnection(command: Command): Command {
  return withServer(command).option("--wait", "wait up to 9 minutes for the server to come up");
}

/** Whether a flag, or its variable, was given; an empty variable counts as unset. */
export function isGiven(command: Command, name: string): boolean {
  const value: unknown = command.getOptionValue(name);
  return value !== "" && value !== undefined && command.getOptionValueSource(name) !== "default";
}

/** The addresses, at least one, and the token that a command was given; an empty variable counts as unset. */
export function serverOf({ url, token }: ConnectionOptions): { urls: readonly string[]; token?: string } {
  const urls = (url || DEFAULT_URL).split(",").map((one) => one.trim());
  return { urls: urls.filter(Boolean), ...(token ? { token } : {}) };
}

/**
 * A client of the server. Until one of its addresses has responded, it is an error if each of them refuses, is not
 * found or is not trusted; after that it retries, for `timeoutMs`.
 */
export function connectTo(options: ConnectionOptions, timeoutMs = IMPATIENT_MS): EventBusClient {
  const { wait = false } = options;
  const { urls, ...token } = serverOf(options);
  let isKnown = wait;
  const failed = new Set<string>();
  return connect(urls, {
    ...token,
    timeoutMs: wait ? PATIENT_MS : timeoutMs,
    fetch: async (input, init) => {
      try {
        const response = await outboundFetch(input, init);
        isKnown = true;
        return response;
      } catch (error) {
        const url = urls.find((one) => input.startsWith(one)) ?? new URL(input).origin;
        failed.add(url);
        const { what, remedy } = await reasonOf(error, url);
        if (isKnown || remedy === undefined || failed.size < urls.length)
          throw new ConnectFailure("network", what, { cause: error });
        throw new ConnectFailure("unavailable", `${what}: ${remedy}`, { cause: error });
      }
    },
  });
}

/** Whether a server responds at one of the addresses, whatever it returns. */
export async function isServerAt(urls: readonly string[]): Promise<boolean> {
  const signal = AbortSignal.timeout(PROBE_MS);
  const answers = await Promise.allSettled(
    urls.map(async (url) => outboundFetch(new URL("/healthz", url), { signal })),
  );
  return answers.some(({ status }) => status === "fulfilled");
}

/** Why a connection failed, and what to do about it; no remedy if retrying may help by itself. */
async function reasonOf(error: unknown, url: string): Promise<{ what: string; remedy?: string }> {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const proxy = proxyOf(url);
  if (code === "ConnectionRefused" || code === "ECONNREFUSED") {
    if (proxy) return { what: `connection refused by the proxy ${proxy.address}`, remedy: remedyFor(proxy, url) };
    const remedy = "is the server running? start one with `eventbus serve`, or name it with --url";
    return { what: `connection refused at ${url}`, remedy };
  }
  if (code === "FailedToOpenSocket" || code === "ENOTFOUND") {
    if (proxy) return { what: `no host found for the proxy ${proxy.address}`, remedy: remedyFor(proxy, url) };
    return { what: `no host found at ${url}`, remedy: "is --url right?" };
  }
  if (/CERT|SIGNATURE|ISSUER/.test(code)) {
    const remedy = "add its certificate authority to NODE_EXTRA_CA_CERTS";
    return { what: `untrusted certificate (${code}) at ${url}`, remedy };
  }
  if (code === "UnsupportedProxyProtocol" && proxy) {
    return { what: `the proxy ${proxy.address} is none for HTTP`, remedy: remedyFor(proxy, url) };
  }
  return (await otherSchemeOf(url)) ?? { what: BROKEN };
}

function remedyFor({ variable }: NamedProxy, url: string): string {
  return `it is set by ${variable}; to reach the server directly, add ${new URL(url).hostname} to NO_PROXY`;
}

/** A server that speaks HTTP although HTTPS was requested, or the reverse; undefined if there is none. */
export async function otherSchemeOf(url: string): Promise<{ what: string; remedy: string } | undefined> {
  const isTls = url.startsWith("https:");
  const other = url.replace(/^https?/, isTls ? "http" : "https");
  if (!(await speaks(other))) return undefined;
  const [spoken, asked] = isTls ? ["HTTP", "HTTPS"] : ["HTTPS", "HTTP"];
  return { what: `the server at ${url} speaks ${spoken}, not ${asked}`, remedy: `use --url ${other}` };
}

/** Even an untrusted certificate shows that there is a server. */
async function speaks(url: string): Promise<boolean> {
  try {
    const init = { signal: AbortSignal.timeout(PROBE_MS), tls: { rejectUnauthorized: false } };
    await outboundFetch(new URL("/healthz", url), init as RequestInit);
    return true;
  } catch {
    return false;
  }
}

/** The message of an error, with advice on how to resolve it. */
export function adviceOn(error: EventBusError): string {
  switch (error.code) {
    case "network":
      return error instanceof ConnectFailure || isOurs(error) ? error.message : BROKEN;
    case "token_missing":
      return "the server requires a token: pass one with --token or EVENTBUS_TOKEN";
    case "token_invalid":
      return `${error.message}; check --token or EVENTBUS_TOKEN`;
    case "protocol":
      return `${error.message}: is --url the address of an eventbus?`;
    default:
      return error.message;
  }
}

/** Whether the message is from the client, not from the runtime. */
function isOurs({ cause }: EventBusError): boolean {
  return cause === undefined || cause instanceof EventBusError;
}

/** Warns of each pattern that no topic can match; it is valid all the same. */
export function warnOfPatterns(patterns: readonly string[]): void {
  for (const pattern of patterns) {
    const hint = patternHint(pattern);
    if (hint !== undefined) process.stderr.write(`eventbus: ${hint}\n`);
  }
}

/** A parser of a flag that takes a whole number. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}

/** The signal of Ctrl-C, or of a `kill`: the first one asks to end, another one ends at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return controller.signal;
}
