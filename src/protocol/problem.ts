/**
 * Every way in which a request can fail, in the words that both ends of the wire share.
 * A code never changes its meaning; clients branch on the code, people read the detail.
 */
export type ErrorCode =
  | "json_invalid"
  | "topic_invalid"
  | "pattern_invalid"
  | "parameter_invalid"
  | "parameter_unknown"
  | "token_missing"
  | "token_invalid"
  | "scope_insufficient"
  | "origin_forbidden"
  | "not_found"
  | "method_not_allowed"
  | "idempotency_conflict"
  | "cursor_expired"
  | "payload_too_large"
  | "media_type_unsupported"
  | "upgrade_required"
  | "rate_limited"
  | "internal"
  | "unavailable"
  | "shutting_down"
  | "too_many_connections"
  | "storage_full";

/** The HTTP status and the unchanging title of each code. */
export const problems = {
  json_invalid: { status: 400, title: "The body is not valid JSON" },
  topic_invalid: { status: 400, title: "The topic is not valid" },
  pattern_invalid: { status: 400, title: "The pattern is not valid" },
  parameter_invalid: { status: 400, title: "A parameter is not valid" },
  parameter_unknown: { status: 400, title: "A parameter is unknown" },
  token_missing: { status: 401, title: "A token is required" },
  token_invalid: { status: 401, title: "The token is not valid" },
  scope_insufficient: { status: 403, title: "The token does not allow this" },
  origin_forbidden: { status: 403, title: "The origin is not allowed" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "The method is not allowed" },
  idempotency_conflict: { status: 409, title: "The idempotency key was used with another body" },
  cursor_expired: { status: 410, title: "The event is no longer kept" },
  payload_too_large: { status: 413, title: "The body is too large" },
  media_type_unsupported: { status: 415, title: "The content type is not supported" },
  upgrade_required: { status: 426, title: "A WebSocket upgrade is required" },
  rate_limited: { status: 429, title: "Too many requests" },
  internal: { status: 500, title: "The server failed" },
  unavailable: { status: 503, title: "The server cannot do this now" },
  shutting_down: { status: 503, title: "The server is shutting down" },
  too_many_connections: { status: 503, title: "The server has too many connections" },
  storage_full: { status: 507, title: "The storage is full" },
} as const satisfies Record<ErrorCode, { status: number; title: string }>;

/** Members that help to correct a request; each is documented where it is set. */
export interface ProblemMembers {
  /** Offset of the fault, in UTF-16 code units from 0, in the text that was parsed. */
  position?: number;
  /** Line of the fault in an NDJSON body, from 1. */
  line?: number;
  /** The limit that was exceeded, in the unit that the detail names. */
  limit?: number;
  /** Id of the oldest event that is still kept. */
  oldest?: number;
  /** Why a server is not ready: the state of its history, such as `full`, `behind` or `disconnected`. */
  state?: string;
  /** The parameter or member at fault. */
  parameter?: string;
}

/** An `application/problem+json` body (RFC 9457). */
export interface Problem extends ProblemMembers {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
}

/** The detail of a problem with one line of a body; {@link withoutLine} removes the line's number again. */
export function onLine(line: number, what: string): string {
  return `line ${line}: ${what}`;
}

/** The detail without the number of the line that the problem names; the whole detail when it names none. */
export function withoutLine({ line, detail }: Pick<Problem, "line" | "detail">): string {
  return line === undefined ? detail : detail.slice(onLine(line, "").length);
}
