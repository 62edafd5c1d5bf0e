/** How long a browser may cache a permission, in seconds: an hour. */
const MAX_AGE_S = 3600;

const PREFLIGHT = {
  "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE",
  "Access-Control-Max-Age": String(MAX_AGE_S),
};

/** Names of headers, as a browser lists them (RFC 9110). */
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/;

const EXPOSED = "Link, Retry-After, Idempotency-Replayed, Eventbus-Damaged, WWW-Authenticate";

/**
 * The response to a CORS preflight for a page of an allowed origin (WHATWG Fetch). Allows whatever headers the page
 * sends: tracing adds some of its own, and those that the server does not read have no effect.
 */
export function preflightResponse(origin: string, request: Request): Response {
  const response = new Response(null, { status: 204, headers: PREFLIGHT });
  const asked = request.headers.get("access-control-request-headers") ?? "";
  if (HEADER_NAMES.test(asked)) response.headers.set("Access-Control-Allow-Headers", asked);
  response.headers.append("Vary", "Access-Control-Request-Headers");
  return withCors(response, origin);
}

/** Allows a page of an allowed origin to read the response. */
export function withCors(response: Response, origin: string): Response {
  response.headers.set("Access-Control-Allow-Origin", origin);
  response.headers.set("Access-Control-Expose-Headers", EXPOSED);
  response.headers.append("Vary", "Origin");
  return response;
}
