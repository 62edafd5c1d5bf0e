import { BusError } from "../../bus/errors.ts";
import { type ErrorCode, type Problem, type ProblemMembers, problems } from "../../protocol/problem.ts";
import { toProblem } from "../response/problem.ts";
import { type Answer, type Examples, type Headers, type Responses, schemaRef } from "./openapi.ts";
import { remedies } from "./remedies.ts";

export const errorCodes = Object.keys(problems) as ErrorCode[];

/** Errors that any route can return before it is called, or when it fails. */
const COMMON: readonly ErrorCode[] = [
  "parameter_invalid",
  "origin_forbidden",
  "method_not_allowed",
  "internal",
  "shutting_down",
];

/** Headers that come with the problems of a status. */
const HEADERS: Readonly<Record<number, Headers>> = {
  401: { "WWW-Authenticate": challenge('Bearer realm="eventbus", error="invalid_token"') },
  403: { "WWW-Authenticate": challenge('Bearer realm="eventbus", error="insufficient_scope"') },
  405: {
    Allow: { description: "The methods that this address accepts.", schema: { type: "string", example: "GET, HEAD" } },
  },
  429: { "Retry-After": retryAfter("Seconds to wait.") },
  503: { "Retry-After": retryAfter("Seconds to wait, with `unavailable`.") },
  426: { Upgrade: { description: "What to upgrade to.", schema: { type: "string", enum: ["websocket"] } } },
};

function retryAfter(description: string): Headers[string] {
  return { description, schema: { type: "integer", example: 1 } };
}

function challenge(example: string): Headers[string] {
  return { description: "What a client needs (RFC 6750).", schema: { type: "string", example } };
}

/** One response for each status of these codes and of those common to all routes, by status. */
export function problemAnswers(codes: readonly ErrorCode[]): Responses {
  const known = errorCodes.filter((code) => codes.includes(code) || COMMON.includes(code));
  const byStatus = Map.groupBy(known, (code) => problems[code].status);
  return Object.fromEntries([...byStatus].map(([status, some]) => [status, problemAnswer(status, some)]));
}

function problemAnswer(status: number, codes: readonly ErrorCode[]): Answer {
  const headers = HEADERS[status];
  return {
    description: codes.map(describe).join("\n"),
    ...(headers === undefined ? {} : { headers }),
    content: {
      "application/problem+json": {
        schema: {
          allOf: [schemaRef("Problem"), { type: "object", properties: { code: { type: "string", enum: [...codes] } } }],
        },
        examples: Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
      },
    },
  };
}

function describe(code: ErrorCode): string {
  return `- \`${code}\`: ${problems[code].title}. ${remedies[code].remedy}`;
}

/** An example of each problem, by its code. */
export function problemExamples(): Examples {
  return Object.fromEntries(errorCodes.map((code) => [code, { summary: code, value: exampleOf(code) }]));
}

export function exampleOf(code: ErrorCode): Problem {
  const { detail, ...members } = situations[code];
  return toProblem(new BusError(code, detail, { members }));
}

const situations: Readonly<Record<ErrorCode, { readonly detail: string } & ProblemMembers>> = {
  json_invalid: { detail: "expected a value at position 33, found a closing brace", position: 33 },
  topic_invalid: {
    detail: "a topic must not have an empty segment; put text before, after and between its dots",
    position: 6,
  },
  pattern_invalid: {
    detail: "the query parameter topic: a [ must be closed by a ]; write \\[ for the character itself",
    position: 7,
    parameter: "topic",
  },
  parameter_invalid: {
    detail: "the query parameter last must be a whole number from 1 to 10000",
    parameter: "last",
  },
  parameter_unknown: {
    detail:
      'the query parameter "sorce" is not known: this call accepts last, topic, pattern, from, to, source, before, after; did you mean source?',
    parameter: "sorce",
  },
  token_missing: { detail: "send a token: Authorization: Bearer ebt_…" },
  token_invalid: { detail: "the token is not known: it may have been revoked" },
  scope_insufficient: {
    detail:
      "the token may not publish to this topic: create one that may: eventbus token create NAME --publish PATTERN",
  },
  origin_forbidden: {
    detail: "this origin is not allowed: to allow it, start the server with --allowed-origin",
  },
  not_found: { detail: "there is no event 43: the newest one is 42" },
  method_not_allowed: { detail: "this address accepts GET, HEAD" },
  idempotency_conflict: {
    detail: "this Idempotency-Key was used with another body in the last ten minutes: use a new key",
  },
  cursor_expired: { detail: "event 7 was pruned: the oldest event kept is 12", oldest: 12 },
  payload_too_large: { detail: "the body is larger than 1048576 bytes", limit: 1_048_576 },
  media_type_unsupported: { detail: "the Content-Type must be application/json or application/x-ndjson, in UTF-8" },
  upgrade_required: { detail: "this address is for WebSockets: connect with ws:// or wss://" },
  rate_limited: { detail: "at most 100 events per second may be published: try again in a second", limit: 100 },
  internal: { detail: "the server failed to handle this request" },
  unavailable: {
    detail:
      "the history could not be written; whether this event was stored is unknown: publish again with the same Idempotency-Key",
  },
  shutting_down: { detail: "the server is shutting down" },
  too_many_connections: {
    detail: "the server accepts at most 10000 subscribers: try again later",
    limit: 10_000,
  },
  storage_full: { detail: "the disk of the history is full: nothing was published" },
};
