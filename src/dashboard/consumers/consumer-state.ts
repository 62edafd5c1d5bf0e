import type { ConsumerInfo, PushAttempt } from "../../client/index.ts";
import type { WatchedConsumer } from "../state/consumer-watch.ts";
import { count } from "../text/format.ts";

/** With more waiting events than this, they are not only those published just now. */
const MANY_WAITING = 1000;

export type ConsumerState = "paused" | "failing" | "behind" | "working" | "caught up";

/**
 * The state that matters most. A few waiting events matter only if none is out and none was acknowledged lately; before
 * the second response, that is since the server started.
 */
export function stateOf(consumer: WatchedConsumer): ConsumerState {
  const { paused, retrying, lag, in_flight, acknowledged, rates } = consumer;
  if (paused) return "paused";
  if (retrying > 0) return "failing";
  const waiting = waitingOf(consumer);
  if (waiting > MANY_WAITING || (waiting > 0 && in_flight === 0 && (rates.at(-1) ?? acknowledged) === 0))
    return "behind";
  return lag > 0 ? "working" : "caught up";
}

/** Events that were not handed out yet. */
export function waitingOf({ lag, in_flight, retrying }: ConsumerInfo): number {
  return Math.max(0, lag - in_flight - retrying);
}

/** `1,234`, or `1,234+` while it is still being counted. */
export function lagOf({ lag, lag_is_exact }: ConsumerInfo): string {
  return `${count(lag)}${lag_is_exact ? "" : "+"}`;
}

/** The newest attempts that are looked at: two of them are probes, if every other one is of an event that is new. */
const NEWEST_ATTEMPTS = 4;

/** Whether the endpoint counts as down: the same attempt at the same event is listed twice, the newest first. */
export function isProbed(attempts: readonly PushAttempt[]): boolean {
  const names = attempts.slice(0, NEWEST_ATTEMPTS).map(({ event_id, attempt }) => `${event_id} ${attempt}`);
  return new Set(names).size < names.length;
}

/** Where its events go: the host of an endpoint, or workers. */
export function goalOf({ push }: ConsumerInfo): string {
  if (push === null) return "workers";
  try {
    return new URL(push.url).host;
  } catch {
    return push.url;
  }
}
