import type { ErrorCode } from "../../protocol/problem.ts";

/** When a code occurs, and what to do about it, for the documentation page and docs/reference/errors.md. */
export const remedies: Readonly<Record<ErrorCode, { readonly meaning: string; readonly remedy: string }>> = {
  json_invalid: {
    meaning:
      "The body or the frame is not a single JSON text in UTF-8, is nested deeper than 512 levels, or is not an object where one is required.",
    remedy:
      "See `position`, and `line` for an NDJSON body. In a shell, put the body in single quotes. To publish text, send `Content-Type: text/plain` to `/api/events/publish/{topic}`.",
  },
  topic_invalid: {
    meaning:
      "The topic is missing, empty, longer than 255 bytes, has an empty segment, or contains a character that is not allowed.",
    remedy:
      "Use segments separated by dots, such as `orders.created`: no white space, none of ``* ? [ ] { } ( ) ! | \\ / ,``. Wildcards are for patterns only.",
  },
  pattern_invalid: {
    meaning: "The pattern is malformed: an unclosed class, a trailing `\\`, or braces that expand to too much.",
    remedy: "See `position`. Put `\\` before a literal character, and percent-encode the pattern in a URL.",
  },
  parameter_invalid: {
    meaning: "A query parameter, header or member has an invalid value, or appears twice.",
    remedy: "`parameter` names it, and the detail describes the values it accepts.",
  },
  parameter_unknown: {
    meaning: "The request has a query parameter or a member that this call does not accept.",
    remedy: "`parameter` names it; correct the name, or remove it. Put members of your own into `data`.",
  },
  token_missing: {
    meaning: "The server requires a token and the request has none.",
    remedy: "Send `Authorization: Bearer …`, or `?access_token=…` where a browser cannot set headers.",
  },
  token_invalid: {
    meaning:
      "The token is unknown, revoked, expired, not signed with a key that the server trusts, or not issued for this server.",
    remedy:
      "Get a new token. Sending the same one again does not help. If a claim of a JSON Web Token is wrong, `detail` names it.",
  },
  scope_insufficient: {
    meaning: "The token is valid, but does not allow this.",
    remedy:
      "`detail` names the command that creates a token with the missing permission. For a JSON Web Token, add it to the claim `eventbus`.",
  },
  origin_forbidden: {
    meaning: "The request came from a web page of another origin, or its `Host` is not one of the server's names.",
    remedy: "If the page or the name is yours, start the server with `--allowed-origin` or `--allowed-host`.",
  },
  not_found: {
    meaning: "The address does not exist, or there has never been an event with that id.",
    remedy: "Compare the address with `/swagger`: paths have no trailing slash.",
  },
  method_not_allowed: {
    meaning: "The address exists, but does not accept this method.",
    remedy: "Use a method listed in the header `Allow`.",
  },
  idempotency_conflict: {
    meaning: "The `Idempotency-Key` was used with another body in the last ten minutes.",
    remedy: "Use a new key for each new event, and retry a body unchanged with its key.",
  },
  cursor_expired: {
    meaning: "The event existed, or there were events after `after`, and retention has removed them.",
    remedy:
      "Continue from `oldest`, with `after` one less. Older events can no longer be read. To keep more, use `--max-history`, `--max-age` or `--max-bytes`.",
  },
  payload_too_large: {
    meaning:
      "The body, or one of its lines, is larger than `limit` bytes, or the body has more than `limit` lines, which with `--rate-limit` is what may be published per second.",
    remedy:
      "Send less at a time, or start the server with a larger `--max-body`. Store large objects elsewhere, and publish their location.",
  },
  media_type_unsupported: {
    meaning: "The call does not accept the body's `Content-Type`, the body is not in UTF-8, or it is compressed.",
    remedy: "Send JSON as `application/json`, many envelopes as `application/x-ndjson`, text as `text/plain`.",
  },
  upgrade_required: {
    meaning: "This address is for WebSockets, and the request did not ask for an upgrade.",
    remedy:
      "Connect with `ws://` or `wss://`, or use `/api/events/stream`. If you did, a proxy in between removed the header `Upgrade`.",
  },
  rate_limited: {
    meaning: "The token, or the client address, has published as much as `--rate-limit` allows.",
    remedy: "Wait for the number of seconds in `Retry-After`. Each line of an NDJSON body counts.",
  },
  internal: {
    meaning: "An internal error. The server's log has the details.",
    remedy: "Retry once with the same `Idempotency-Key`, then report the error with the log lines.",
  },
  unavailable: {
    meaning:
      "The server cannot do this now. For a publish, it is unknown whether the event was stored: the disk may have failed. For a request with a long response, with `limit`: clients that do not read their responses occupy all that `--max-waiting` allows.",
    remedy:
      "Publish again with the same `Idempotency-Key` once `/readyz` returns 200; the log has the cause. Repeat a query after `Retry-After`, or request less.",
  },
  shutting_down: {
    meaning: "The server is stopping. No part of this request was carried out.",
    remedy: "Try again in a moment, and resume subscriptions from the last id.",
  },
  too_many_connections: {
    meaning: "The number of subscribers has reached `--max-connections`, or file descriptors are running out.",
    remedy:
      "Try again later. See the subscribers in `/api/stats`, and raise the limit (`--max-connections`, `ulimit -n`) if they are expected.",
  },
  storage_full: {
    meaning: "The disk is full. No part of this publish was stored.",
    remedy: "Free up space, or keep less: the server accepts events again by itself once there is space.",
  },
};
