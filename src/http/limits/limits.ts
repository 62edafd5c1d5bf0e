import { BusError } from "../../bus/errors.ts";

/**
 * Each limit of the server, as metrics name it:
 *
 * * `connections`: there are `--max-connections` subscribers.
 * * `descriptors`: too few file descriptors are left for one more connection.
 * * `headers`: more than `MAX_HEADER_FIELDS` in one request; heads that Bun itself rejects cannot be counted.
 * * `patterns`: more than `--max-patterns` in one subscriber.
 * * `body`: a body, or a line of one, is too large.
 * * `frame`: a WebSocket frame is too large; the socket was closed with 1009.
 * * `rate`: a publish over `--rate-limit`.
 * * `request_time`: a body arrived too slowly; the connection was closed.
 * * `unanswered`: too many frames of one WebSocket were waiting for a response; it was closed with 1013. Or it sent
 * too many pings, or too many pongs were waiting for it to read; it was disconnected.
 * * `stall`: a WebSocket read none of its waiting output, and was disconnected.
 * * `silence`: a WebSocket did not respond to pings, and was disconnected.
 * * `waiting`: a response was rejected, because the output waiting for clients that do not read has reached
 * `--max-waiting`; or a body, because those that are arriving have reached their bound.
 */
export type LimitName =
  | "connections"
  | "descriptors"
  | "headers"
  | "patterns"
  | "body"
  | "frame"
  | "rate"
  | "request_time"
  | "unanswered"
  | "stall"
  | "silence"
  | "waiting";

/** Maximum number of header fields, repeated names counted once. Browsers behind proxies send some thirty. */
const MAX_HEADER_FIELDS = 100;
const HEADERS = "headers";

/** Called each time a limit is reached. Must not throw. */
export type OnLimit = (limit: LimitName) => void;

/** Reports the limit that an error is about, if any. */
export function tellLimit(error: BusError, onLimit: OnLimit | undefined): void {
  const limit = limitOf(error);
  if (limit !== undefined) onLimit?.(limit);
}

function limitOf({ code, members }: BusError): LimitName | undefined {
  if (code === "too_many_connections") return members.limit === undefined ? "descriptors" : "connections";
  if (code === "rate_limited") return "rate";
  if (code === "unavailable" && members.limit !== undefined) return "waiting";
  if (code === "payload_too_large") return "body";
  if (code !== "parameter_invalid" || members.limit === undefined) return undefined;
  if (members.parameter === HEADERS) return "headers";
  return members.parameter === "pattern" ? "patterns" : undefined;
}

/** Throws `parameter_invalid` if the request has too many header fields. */
export function requireFewHeaders({ headers }: Request): void {
  if (headers.count <= MAX_HEADER_FIELDS) return;
  throw new BusError("parameter_invalid", `a request may have at most ${MAX_HEADER_FIELDS} header fields`, {
    members: { parameter: HEADERS, limit: MAX_HEADER_FIELDS },
  });
}
