import type { PushSettings as Written } from "../../protocol/consumer.ts";
import { BusError } from "../errors.ts";
import { durationOf, formatDuration } from "./duration.ts";

/** Where a consumer posts its events. */
export interface PushSettings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly concurrency: number;
}

const MAX_URL_CHARACTERS = 2048;
const MAX_HEADERS = 16;
const MAX_HEADER_CHARACTERS = 1024;
const DEFAULT_TIMEOUT = "15s";
const MIN_TIMEOUT_MS = 100;
/** An endpoint that needs longer should respond first, and work afterwards. */
const MAX_TIMEOUT_MS = 120_000;
const DEFAULT_CONCURRENCY = 8;
const MAX_CONCURRENCY = 256;
/** Set by the server, or by the connection. */
const OWN_HEADERS = /^(?:host|content-type|content-length|connection|transfer-encoding|webhook-.*)$/i;
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
/** Visible ASCII and spaces: nothing that could end a header. */
const HEADER_VALUE = /^[\x20-\x7e]*$/;

/** Reads where to post. Throws `parameter_invalid` with `parameter`. */
export function parsePush(value: unknown): PushSettings {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid('push must be an object: {"url":"https://example.com/hook"}');
  }
  const {
    url,
    headers = {},
    timeout = DEFAULT_TIMEOUT,
    concurrency = DEFAULT_CONCURRENCY,
    ...rest
  } = {
    ...value,
  } as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid("push may have only url, headers, timeout and concurrency");
  if (
    typeof concurrency !== "number" ||
    !Number.isInteger(concurrency) ||
    concurrency < 1 ||
    concurrency > MAX_CONCURRENCY
  ) {
    throw invalid(`push.concurrency must be a whole number from 1 to ${MAX_CONCURRENCY}`);
  }
  const timeoutMs = durationOf("push.timeout", timeout, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS);
  return { url: urlOf(url), headers: headersOf(headers), timeoutMs, concurrency };
}

/** As `parsePush` reads it. */
export function writtenPush({ url, headers, timeoutMs, concurrency }: PushSettings): Written {
  return { url, headers, timeout: formatDuration(timeoutMs), concurrency };
}

/** Without the values of headers, which may be secrets. */
export function shownPush(push: PushSettings): Written {
  const headers = Object.fromEntries(Object.keys(push.headers).map((name) => [name, "…"]));
  return { ...writtenPush(push), headers };
}

function urlOf(value: unknown): string {
  const url = typeof value === "string" && value.length <= MAX_URL_CHARACTERS ? URL.parse(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid("push.url must be an address of http or https");
  if (url.username !== "" || url.password !== "") {
    throw invalid("push.url must not hold a password: put credentials into push.headers");
  }
  url.hash = "";
  return url.href;
}

function headersOf(value: unknown): Record<string, string> {
  const entries =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
  if (entries === undefined || entries.length > MAX_HEADERS) {
    throw invalid(`push.headers must be an object of at most ${MAX_HEADERS} headers`);
  }
  const headers: Record<string, string> = {};
  for (const [name, text] of entries) {
    if (!HEADER_NAME.test(name) || OWN_HEADERS.test(name)) throw invalid("push.headers has a name that cannot be set");
    if (typeof text !== "string" || text.length > MAX_HEADER_CHARACTERS || !HEADER_VALUE.test(text)) {
      throw invalid("push.headers must have values of visible ASCII characters");
    }
    headers[name] = text;
  }
  return headers;
}

function invalid(detail: string): BusError {
  return new BusError("parameter_invalid", detail, { members: { parameter: "push" } });
}

/** A secret that signs pushed requests. */
export interface SigningSecret {
  /** `whsec_` and base64. */
  readonly secret: string;
  /** When it stops signing, in milliseconds since 1970; undefined: when it is replaced. */
  readonly untilMs?: number;
}

/** How long a replaced secret still signs, so that receivers have time to learn the new one. */
const OVERLAP_MS = 24 * 3_600_000;

/** The secrets after one was added; the one before it signs for another day. */
export function rotated(secrets: readonly SigningSecret[], secret: string, nowMs: number): SigningSecret[] {
  const [current] = secrets;
  return [{ secret }, ...(current ? [{ secret: current.secret, untilMs: nowMs + OVERLAP_MS }] : [])];
}

/** Those that sign now, the newest first. */
export function signing(secrets: readonly SigningSecret[], nowMs: number): string[] {
  return secrets.filter(({ untilMs }) => untilMs === undefined || untilMs > nowMs).map(({ secret }) => secret);
}

/** Reads secrets that `JSON.stringify` has written. */
export function parseSecrets(json: string): SigningSecret[] {
  const list: unknown = JSON.parse(json);
  if (!Array.isArray(list)) return [];
  return list.flatMap((one: unknown) => {
    if (typeof one !== "object" || one === null || !("secret" in one) || typeof one.secret !== "string") return [];
    const untilMs = "untilMs" in one && typeof one.untilMs === "number" ? { untilMs: one.untilMs } : {};
    return [{ secret: one.secret, ...untilMs }];
  });
}
