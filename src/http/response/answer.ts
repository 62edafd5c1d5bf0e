const JSON_TYPE = "application/json; charset=utf-8";
export const NDJSON_TYPE = "application/x-ndjson; charset=utf-8";

/**
 * The status in the log and the metrics of a request whose client left before it was complete, as in nginx; it is never
 * sent.
 */
export const CLIENT_GONE = 499;

/** For every response with content of the bus: it is not cached, and no browser guesses its type. */
export const DATA_HEADERS = { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" };

/** Shared by all JSON responses: made once, as every publish uses it. A `Response` copies the headers. */
const JSON_ANSWER = { headers: new Headers({ "Content-Type": JSON_TYPE, ...DATA_HEADERS }) };

/** A response with text that is already JSON, or with a stream of it. */
export function jsonText(text: string | ReadableStream, headers?: Record<string, string>): Response {
  const response = new Response(text, JSON_ANSWER);
  if (headers !== undefined) for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

export function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { ...JSON_ANSWER, status });
}

/**
 * The path of a request as it was sent: percent-encoded, without the query. Caches the last one, as it is needed
 * several times in each request, and consecutive requests often have the same.
 */
export function pathOf(url: string): string {
  if (url !== lastUrl) {
    lastPath = cutPath(url);
    lastUrl = url;
  }
  return lastPath;
}
let lastUrl = "";
let lastPath = "/";

function cutPath(url: string): string {
  // Bun cannot make a whole address of a request without a `Host`.
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  if (start === -1) return "/";
  const end = url.indexOf("?", start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}
