import type { Meter } from "./bus/meter.ts";
import { CLIENT_GONE } from "./http/answer.ts";
import type { OnAnswered } from "./http/observe.ts";
import type { Logger } from "./log.ts";

/** A request over this long is worth a line, in milliseconds. */
const SLOW_REQUEST_MS = 1000;

/** Counts every request, and logs those that were refused or slow; with `isEach`, all of them. */
export function requestLog(log: Logger, meter: Meter, isEach: boolean): OnAnswered {
  return (answered) => {
    const { method, route, path, status, durationMs } = answered;
    meter.request(method, route, status, durationMs);
    const fields = () => ({
      method,
      path,
      status,
      duration_ms: Math.round(durationMs * 1000) / 1000,
      bytes: Number(answered.request.headers.get("content-length") ?? 0),
    });
    if (isEach) log.info(fields(), "request");
    if (status === CLIENT_GONE) return;
    if (status >= 500) log.warn(fields(), "refused");
    else if (status >= 400 && !isEach) log.info(fields(), "refused");
    // Pruning answers when it is done, and its slices have thresholds of their own.
    if (durationMs > SLOW_REQUEST_MS && route !== "/api/events/prune") log.warn(fields(), "slow request");
  };
}
