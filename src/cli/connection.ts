import { type Command, InvalidArgumentError, Option } from "commander";
import { connect, type EventBusClient, EventBusError } from "../client/index.ts";

/** Where the server is, and how to speak to it: what every client command is given. */
export interface ConnectionOptions {
  readonly url: string;
  readonly token?: string;
  readonly wait?: boolean;
}

const DEFAULT_URL = "http://127.0.0.1:9800";
/** How long `--wait` goes on, and a publish of lines keeps trying: safely within the server's ten minutes. */
export const PATIENT_MS = 9 * 60 * 1000;
/** How long a call tries again when the server has answered before, or says "not now", in milliseconds. */
const IMPATIENT_MS = 30_000;

/** Gives a command the flags by which it finds the server. */
export function withConnection(command: Command): Command {
  return command
    .addOption(new Option("--url <url>", "address of the server").env("EVENTBUS_URL").default(DEFAULT_URL))
    .addOption(new Option("--token <token>", "secret of a token that allows it").env("EVENTBUS_TOKEN"))
    .option("--wait", "wait up to 9 minutes for a server that is not up yet");
}

/**
 * A client of the server. Until the server has answered once, a connection that is refused, a name that is not found and
 * a certificate that is not trusted are errors at once; after that it tries again, for `timeoutMs`.
 */
export function connectTo(options: ConnectionOptions, timeoutMs = IMPATIENT_MS): EventBusClient {
  const { token, wait = false } = options;
  // An empty variable is one that is not set, as it is for the server.
  const url = options.url || DEFAULT_URL;
  let isKnown = wait;
  return connect(url, {
    ...(token ? { token } : {}),
    timeoutMs: wait ? PATIENT_MS : timeoutMs,
    fetch: async (input, init) => {
      try {
        const response = await fetch(input, init);
        isKnown = true;
        return response;
      } catch (error) {
        const { what, remedy } = reasonOf(error);
        if (isKnown || remedy === undefined) throw new EventBusError("network", what, { cause: error });
        throw new EventBusError("unavailable", `${what} at ${url}: ${remedy}`, { cause: error });
      }
    },
  });
}

/** Why a connection failed, in our words, and what to do about it; no remedy where trying again may help by itself. */
function reasonOf(error: unknown): { what: string; remedy?: string } {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ConnectionRefused" || code === "ECONNREFUSED") {
    const remedy = "is the server running? start one with `eventbus serve`, or name it with --url";
    return { what: "connection refused", remedy };
  }
  if (code === "FailedToOpenSocket" || code === "ENOTFOUND")
    return { what: "no host found", remedy: "is --url right?" };
  if (/CERT|SIGNATURE|ISSUER/.test(code)) {
    return { what: `untrusted certificate (${code})`, remedy: "name its authority in NODE_EXTRA_CA_CERTS" };
  }
  return { what: "the connection broke" };
}

/** The words of an error, with what its reader can do about it. */
export function adviceOn(error: EventBusError): string {
  switch (error.code) {
    case "network":
      return error.cause === undefined || error.cause instanceof EventBusError
        ? error.message
        : reasonOf(error.cause).what;
    case "token_missing":
      return `${error.message}: give one with --token or EVENTBUS_TOKEN`;
    case "token_invalid":
      return `${error.message}: is --token, or EVENTBUS_TOKEN, the right one?`;
    case "scope_insufficient":
      return `${error.message}: ask for a token that allows it`;
    case "protocol":
      return `${error.message}: is --url the address of an eventbus?`;
    default:
      return error.message;
  }
}

/** A parser of a flag that takes a whole number. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    const upTo = most === Number.MAX_SAFE_INTEGER ? "" : ` to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number from ${least}${upTo}${upTo === "" ? " on" : ""}.`);
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
