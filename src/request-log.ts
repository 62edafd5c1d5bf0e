import type { Meter } from "./bus/meter.ts";
import type { Answered, OnAnswered } from "./http/observe.ts";
import { CLIENT_GONE } from "./http/response/answer.ts";
import type { Logger } from "./log.ts";
import { patternHint } from "./text/pattern-hint.ts";

/** A request over this long is worth a line, in milliseconds. */
const SLOW_REQUEST_MS = 1000;
/**
 * Routes that respond when they are done or have something, however long that takes: pruning, whose slices have
 * thresholds of their own, and workers that wait for events.
 */
const PATIENT_ROUTES: readonly string[] = ["/api/events/prune", "/api/consumers/:name/take"];
/** Patterns that are remembered, so that a client that keeps reconnecting causes one warning. */
const MAX_REMEMBERED = 1000;

/**
 * Counts every request, and logs those that were rejected or slow, or, with `isEach`, all of them: one line per
 * request. `addressOf` returns the address of the client.
 */
export function requestLog(
  log: Logger,
  meter: Meter,
  isEach: boolean,
  addressOf: (request: Request) => string | undefined,
): OnAnswered {
  return (answered) => {
    const { method, route, status, durationMs } = answered;
    meter.request(method, route, status, durationMs);
    const isSlow = durationMs > SLOW_REQUEST_MS && !PATIENT_ROUTES.includes(route);
    const isGone = status === CLIENT_GONE;
    const level = !isGone && (status >= 500 || isSlow) ? "warn" : "info";
    if (isEach) log[level](fieldsOf(answered, addressOf), "request");
    else if (isGone) return;
    else if (status >= 400) log[level](fieldsOf(answered, addressOf), "refused");
    else if (isSlow) log[level](fieldsOf(answered, addressOf), "slow request");
  };
}

/**
 * Logs a warning for each pattern that is subscribed to and that no topic can match: it is valid, but its subscriber
 * waits in vain. Once per pattern, for at most 1,000 of them.
 */
export function patternWarnings(log: Logger): (pattern: string) => void {
  const warned = new Set<string>();
  return (pattern) => {
    if (warned.size >= MAX_REMEMBERED || warned.has(pattern)) return;
    const hint = patternHint(pattern);
    if (hint === undefined) return;
    warned.add(pattern);
    log.warn({ hint }, "a subscriber waits for a pattern that cannot match");
    if (warned.size === MAX_REMEMBERED) log.warn("no more of these patterns are logged");
  };
}

function fieldsOf(
  { method, path, status, durationMs, request }: Answered,
  addressOf: (request: Request) => string | undefined,
) {
  return {
    address: addressOf(request),
    method,
    path,
    status,
    duration_ms: Math.round(durationMs * 1000) / 1000,
    bytes: Number(request.headers.get("content-length") ?? 0),
  };
}
