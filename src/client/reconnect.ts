import { type EventBusError, isOfServer, isTemporary } from "./errors.ts";

/** The shortest wait, so that a server that rejects at once is not called in a tight loop. */
export const MIN_DELAY_MS = 100;
/** The first wait is shorter than this; it doubles with every failure. A restarted server is back about then. */
const FIRST_CEILING_MS = 250;
/** Every wait is shorter than this, unless the server asks for more: a client is back soon after any outage. */
export const MAX_DELAY_MS = 30_000;
/** A connection that lasted this long, in milliseconds, was a good one: the failures before it are forgotten. */
export const STABLE_MS = 5000;

/** The state of a subscription's connection. */
export type ConnectionState =
  /** `failures`: consecutive failed attempts. */
  | { readonly kind: "connecting"; readonly failures: number }
  | { readonly kind: "open"; readonly failures: number }
  /** Retries `delayMs` milliseconds after entering this state, or when the network comes back. */
  | { readonly kind: "waiting"; readonly failures: number; readonly delayMs: number; readonly error: EventBusError }
  /** The device has no network: retries when it has one. */
  | { readonly kind: "offline"; readonly failures: number; readonly error: EventBusError }
  /** Ended for good, by an error or by a call to `close`. */
  | { readonly kind: "ended"; readonly error: EventBusError | undefined };

/** What happens to a connection. */
export type ConnectionEvent =
  | { readonly kind: "opened" }
  | {
      readonly kind: "lost";
      readonly error: EventBusError;
      /** How long it had been open, in milliseconds; 0 when it never was. */
      readonly openMs: number;
      readonly isOffline: boolean;
      /** How many servers take turns; a wait that one asks for does not apply to the others. Default 1. */
      readonly servers?: number;
      /**
       * An earlier connection was a stream of the bus: any other response now comes from something in place of an
       * unavailable server.
       */
      readonly wasGood: boolean;
      /** From 0 to 1, evenly distributed. */
      readonly random: number;
    }
  /** The wait is over, or the network is back. */
  | { readonly kind: "woken" }
  | { readonly kind: "closed" };

/**
 * The life of a connection as a pure function: no timer, no network, no chance. The name of a state says what is to be
 * done in it.
 *
 * ```
 *  connecting ──opened──► open
 *    ▲    └──────┬─────────┘
 *    │         lost ───────► ended   (an error that a retry cannot fix)
 *  woken         ▼
 *    └── waiting | offline
 * ```
 *
 * An event that cannot happen in a state leaves it as it is.
 */
export function nextState(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  if (state.kind === "ended") return state;
  switch (event.kind) {
    case "opened":
      return state.kind === "connecting" ? { kind: "open", failures: state.failures } : state;
    case "lost":
      return state.kind === "connecting" || state.kind === "open" ? afterLoss(state.failures, event) : state;
    case "woken":
      return state.kind === "waiting" || state.kind === "offline"
        ? { kind: "connecting", failures: state.failures }
        : state;
    case "closed":
      return { kind: "ended", error: undefined };
  }
}

function afterLoss(failuresBefore: number, event: ConnectionEvent & { kind: "lost" }): ConnectionState {
  const { error, openMs, isOffline, servers = 1, wasGood, random } = event;
  if (!isTemporary(error) && !(wasGood && error.code === "protocol")) return { kind: "ended", error };
  const failures = openMs >= STABLE_MS ? 1 : failuresBefore + 1;
  if (isOffline) return { kind: "offline", failures, error };
  const isElsewhere = isOfServer(error) && failures < servers;
  const delayMs = delayAfter(failures, random, isElsewhere ? 0 : error.retryAfterMs);
  return { kind: "waiting", failures, delayMs, error };
}

/**
 * Milliseconds to wait after this many failures in a row (at least 1): anything up to a ceiling that doubles, so that
 * the clients of a server that died do not come back in step. The wait that the server asked for is added to it.
 */
export function delayAfter(failures: number, random: number, askedMs = 0): number {
  const ceilingMs = Math.min(MAX_DELAY_MS, FIRST_CEILING_MS * 2 ** (failures - 1));
  return askedMs + MIN_DELAY_MS + Math.floor(random * (ceilingMs - MIN_DELAY_MS));
}
