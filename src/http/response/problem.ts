import { BusError } from "../../bus/errors.ts";
import { type ErrorCode, type Problem, problems } from "../../protocol/problem.ts";
import { ACCESS_TOKEN } from "../request/query.ts";
import { DATA_HEADERS } from "./answer.ts";

const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** The body of an error response (RFC 9457). `type` is a stable name, not an address that must be reachable. */
export function toProblem(error: BusError): Problem {
  const { status, title } = problems[error.code];
  return {
    type: `urn:eventbus:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...error.members,
  };
}

/** The challenge to a client without a valid token (RFC 6750, section 3). */
const CHALLENGE = 'Bearer realm="eventbus"';

/**
 * The headers of every response with a code. RFC 9110 requires 426 to name the protocol and 401 to name the scheme.
 * After a second every bucket of `PublishRates` is full, and slow readers have read something. A connection over the
 * limit must be closed.
 */
const HEADERS: Readonly<Partial<Record<ErrorCode, Record<string, string>>>> = {
  rate_limited: { "Retry-After": "1" },
  unavailable: { "Retry-After": "1" },
  too_many_connections: { Connection: "close" },
  upgrade_required: { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" },
  token_missing: { "WWW-Authenticate": CHALLENGE },
  token_invalid: { "WWW-Authenticate": `${CHALLENGE}, error="invalid_token"` },
  scope_insufficient: { "WWW-Authenticate": `${CHALLENGE}, error="insufficient_scope"` },
};

/** The response to a request that failed. */
export function problemResponse(error: BusError, headers: Record<string, string> = {}): Response {
  const problem = toProblem(error);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "Content-Type": PROBLEM_TYPE, ...DATA_HEADERS, ...headersOf(error), ...headers },
  });
}

function headersOf({ code, members }: BusError): Record<string, string> | undefined {
  if (members.parameter !== ACCESS_TOKEN) return HEADERS[code];
  return { "WWW-Authenticate": `${CHALLENGE}, error="invalid_request"` };
}

/** What a caller may know about an unexpected error: only that it happened. */
export function asBusError(error: unknown): BusError {
  return error instanceof BusError
    ? error
    : new BusError("internal", "the server failed to handle this request", { cause: error });
}

/**
 * The client left, or was disconnected, before its body was complete: not a failure, and there is no one to respond to.
 */
export function isDisconnect(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
