import { EventBusError } from "./errors.ts";

/** Waits this long, in milliseconds, or until the device's network comes back, or until the signal is aborted. */
export function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  return sleep(waitMs, signal);
}

/** Waits until the device's network comes back, or until the signal is aborted. */
export function networkBack(signal: AbortSignal): Promise<void> {
  return sleep(undefined, signal);
}

/** Whether the device says that it has no network. Only browsers know; for loopback it is ignored. */
export function isOffline(url: string): boolean {
  const navigator: { onLine?: boolean } | undefined = globalThis.navigator;
  return navigator?.onLine === false && !LOOPBACK.test(new URL(url).hostname);
}
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

function sleep(waitMs: number | undefined, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      // Only browsers have it.
      globalThis.removeEventListener?.("online", wake);
      resolve();
    };
    const timer = waitMs === undefined ? undefined : setTimeout(wake, waitMs);
    signal.addEventListener("abort", wake);
    globalThis.addEventListener?.("online", wake);
  });
}

/**
 * Runs `work` with a signal that is aborted after `limitMs` milliseconds, or with one of the others. From then on it
 * does not wait for `work`. Rejects only with an `EventBusError`: `network` by default.
 */
export async function within<T>(
  limitMs: number,
  signals: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const follow = () => {
    const aborted = signals.find((one) => one?.aborted);
    if (aborted) controller.abort(asAborted(aborted.reason));
  };
  const timer = setTimeout(() => controller.abort(noAnswer(limitMs)), limitMs);
  for (const one of signals) one?.addEventListener("abort", follow);
  follow();
  try {
    return await raced(work, signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : asNetworkError(error);
  } finally {
    clearTimeout(timer);
    for (const one of signals) one?.removeEventListener("abort", follow);
  }
}

function raced<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
    else work(signal).then(resolve, reject);
  });
}

function asAborted(reason: unknown): EventBusError {
  return reason instanceof EventBusError
    ? reason
    : new EventBusError("aborted", "the call was aborted", { cause: reason });
}

function noAnswer(limitMs: number): EventBusError {
  return new EventBusError("network", `nothing was received from the server for ${Math.ceil(limitMs)} ms`);
}

function asNetworkError(error: unknown): EventBusError {
  if (error instanceof EventBusError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new EventBusError("network", `the connection failed: ${reason}`, { cause: error });
}
