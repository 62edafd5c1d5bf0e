/** How long a browser may cache a permission, in seconds: an hour. */
const MAX_AGE_S = 3600;

const PREFLIGHT = {
  "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
  "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
  "Access-Control-Max-Age": String(MAX_AGE_S),
};

const EXPOSED = "Link, Retry-After, Idempotency-Replayed, Eventbus-Damaged, WWW-Authenticate";

/** The response to a CORS preflight for a page of an allowed origin (WHATWG Fetch). */
export function preflightResponse(origin: string): Response {
  return withCors(new Response(null, { status: 204, headers: PREFLIGHT }), origin);
}

/** Allows a page of an allowed origin to read the response. */
export function withCors(response: Response, origin: string): Response {
  response.headers.set("Access-Control-Allow-Origin", origin);
  response.headers.set("Access-Control-Expose-Headers", EXPOSED);
  response.headers.append("Vary", "Origin");
  return response;
}
