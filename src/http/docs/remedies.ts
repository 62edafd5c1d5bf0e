import type { ErrorCode } from "../../protocol/problem.ts";

/** When a code comes, and what to do then. For people: the documentation page and docs/reference/errors.md. */
export const remedies: Readonly<Record<ErrorCode, { readonly meaning: string; readonly remedy: string }>> = {
  json_invalid: {
    meaning:
      "The body or the frame is not one JSON text in UTF-8, nests deeper than 512 levels, or is no object where one must be.",
    remedy:
      "Look at `position`, and in an NDJSON body at `line`. In a shell put the body into single quotes. To publish words, send `Content-Type: text/plain` to `/api/events/publish/{topic}`.",
  },
  topic_invalid: {
    meaning: "The topic is missing, empty, longer than 255 bytes, has an empty segment, or a character no topic has.",
    remedy:
      "Name the topic with segments and dots, such as `orders.created`: no white space, none of ``* ? [ ] { } ( ) ! | \\ / ,``. A wildcard belongs into a pattern.",
  },
  pattern_invalid: {
    meaning: "The pattern is malformed: a class that is not closed, a `\\` at its end, braces that expand to too much.",
    remedy:
      "Look at `position`. Put `\\` before a character that is meant literally, and percent-encode the pattern in an address.",
  },
  parameter_invalid: {
    meaning: "A query parameter, header or member has a value that it cannot have, or comes twice.",
    remedy: "`parameter` names it, and the detail says which values it takes.",
  },
  parameter_unknown: {
    meaning: "There is a query parameter or a member that this call does not take.",
    remedy: "`parameter` names it; mend the name, or leave it out. Members of your own belong into `data`.",
  },
  token_missing: {
    meaning: "The server wants a token and the request has none.",
    remedy: "Send `Authorization: Bearer …`, or `?access_token=…` where a browser cannot set headers.",
  },
  token_invalid: {
    meaning: "The token is unknown, revoked, expired, not signed by a key that the server trusts, or not made for it.",
    remedy:
      "Get a new token. Sending the same one again does not help. Where a claim of a JSON Web Token is wrong, `detail` names it.",
  },
  scope_insufficient: {
    meaning: "The token is good, but not for this.",
    remedy: "Use a token whose patterns cover the topic, or one of an administrator where the call needs that.",
  },
  origin_forbidden: {
    meaning: "A web page of another origin asks, or the `Host` is not a name that the server has.",
    remedy: "Start the server with `--allowed-origin`, or `--allowed-host`, if that page or that name is yours.",
  },
  not_found: {
    meaning: "There is no such address, or there never was an event of that id.",
    remedy: "Compare the address with `/swagger`: paths have no slash at their end.",
  },
  method_not_allowed: {
    meaning: "The address exists, but not for this method.",
    remedy: "Use one that the header `Allow` names.",
  },
  idempotency_conflict: {
    meaning: "The `Idempotency-Key` was used with another body in the last ten minutes.",
    remedy: "Make a new key for each new event, and repeat a body unchanged with its key.",
  },
  cursor_expired: {
    meaning: "The event was there, or there were events after `after`, and retention has removed them.",
    remedy:
      "Go on from `oldest`: with `after` one less than that. Older events cannot be read any more. Keep more with `--max-history`, `--max-age` or `--max-bytes`.",
  },
  payload_too_large: {
    meaning: "The body, or a line of it, is larger than `limit` bytes; or it has more than `limit` lines.",
    remedy:
      "Send less at a time, or start the server with a larger `--max-body`. Large things are better stored elsewhere, and an event says where.",
  },
  media_type_unsupported: {
    meaning: "The body's `Content-Type` is not one that this call reads, is not in UTF-8, or the body is compressed.",
    remedy: "Send JSON as `application/json`, many envelopes as `application/x-ndjson`, words as `text/plain`.",
  },
  upgrade_required: {
    meaning: "This address is for WebSockets, and the request was an ordinary one.",
    remedy:
      "Connect with `ws://` or `wss://`, or use `/api/events/stream`. If you did, a proxy on the way drops the header `Upgrade`.",
  },
  rate_limited: {
    meaning: "The token, or the address, has published as much as `--rate-limit` lets it.",
    remedy: "Wait for the seconds that `Retry-After` says. Each line of an NDJSON body counts.",
  },
  internal: {
    meaning: "A fault of the server's own. Its log has the details.",
    remedy: "Try once more with the same `Idempotency-Key`, then report it with the lines of the log.",
  },
  unavailable: {
    meaning:
      "The server cannot do this now. After a publish it is unknown whether the event was kept: the disk may have failed. After a question with a long answer, with `limit`: clients that do not read their answers hold all that `--max-waiting` allows.",
    remedy:
      "Publish again with the same `Idempotency-Key`, when `/readyz` is 200 again; the log says what happened. Ask again after `Retry-After`, or for less.",
  },
  shutting_down: {
    meaning: "The server is stopping. Nothing of this request was done.",
    remedy: "Try again in a moment, and resume subscriptions from the last id.",
  },
  too_many_connections: {
    meaning: "As many subscribers as `--max-connections` allows are connected, or file descriptors have run short.",
    remedy:
      "Try again later. Look in `/api/stats` for who holds them, and raise the limit (`--max-connections`, `ulimit -n`) if they are meant to be.",
  },
  storage_full: {
    meaning: "The disk is full. Nothing of this publish was kept.",
    remedy: "Make room or keep less: the server takes events again by itself once there is space.",
  },
};
