import type { EventMessage } from "./event.ts";

/** `none`: parallel. `topic`: the events of one topic one after another. `all`: all events one after another. */
export const ORDERS = ["none", "topic", "all"] as const;
export type Order = (typeof ORDERS)[number];

/** How a consumer delivers. Durations are texts such as `30s`: a whole number of `ms`, `s`, `m`, `h` or `d`. */
export interface ConsumerSettings {
  /** An event that matches any of them is delivered. */
  pattern: readonly string[];
  order: Order;
  /** How long a delivery may be out before it is taken back. */
  ack_timeout: string;
  /** Attempts after which an event is given up. */
  max_attempts: number;
  /** How long to wait before the second attempt, the third, and so on; the last one is repeated. */
  retry: readonly string[];
  /** Maximum number of deliveries that are out at a time. */
  max_in_flight: number;
  /** Where the server posts the events; `null`: it does not. */
  push: PushSettings | null;
}

/** Where a consumer posts its events, by Standard Webhooks. */
export interface PushSettings {
  url: string;
  /** Sent with every request. Their values are not shown. */
  headers: Readonly<Record<string, string>>;
  /** How long the endpoint may take to respond. */
  timeout: string;
  /** How many requests may be under way at a time. */
  concurrency: number;
}

/** A consumer in the response that created a new secret, the only one that contains it. */
export interface ConsumerWithSecret extends ConsumerInfo {
  /** `whsec_…`, with which the receiver verifies requests. */
  secret?: string;
}

/** One attempt to post an event. */
export interface PushAttempt {
  event_id: number;
  attempt: number;
  at: string;
  /** `null` if there was no response. */
  status: number | null;
  duration_ms: number;
  /** Why it failed; `null` if it did not. */
  error: string | null;
}

/** A consumer: its settings and its state. */
export interface ConsumerInfo extends ConsumerSettings {
  name: string;
  /** Every event up to this id is acknowledged, is being retried, is given up, or does not match. */
  place: number;
  /** Matching events that are not acknowledged and not given up. */
  lag: number;
  /** False while `lag` is still being counted: then there are at least that many. */
  lag_is_exact: boolean;
  in_flight: number;
  retrying: number;
  dead: number;
  /** When the oldest event that is out or waits for another attempt was published; `null` if there is none. */
  oldest_unacked_at: string | null;
  paused: boolean;
  /** Why the last attempt failed, or why the consumer was paused; `null` if nothing failed. */
  last_error: string | null;
  /** Gaps delivered since the consumer was created. */
  gaps: number;
  /** Deliveries acknowledged since the server started. */
  acknowledged: number;
  /** Attempts that failed since the server started. */
  failed: number;
}

/** Events that retention removed, or that are damaged, between `after` and `next`, both exclusive. */
export interface DeliveredGap {
  after: number;
  next: number;
}

/** One attempt to deliver one event, or one gap. */
export type DeliveryMessage = {
  /** Names this attempt, to acknowledge it. */
  delivery: string;
  /** 1 for the first. */
  attempt: number;
} & ({ event: EventMessage } | { gap: DeliveredGap });

/** The response to `ack`, `nack` and `extend`. */
export interface Settled {
  done: number;
  /** Deliveries that were settled already, or taken back. */
  unknown: readonly string[];
}

/** An event that was given up. */
export interface DeadEvent {
  id: number;
  attempts: number;
  /** Why the last attempt failed. */
  reason: string;
  /** When it was given up. */
  dead_at: string;
  /** `null` if retention has removed it, or it is damaged. */
  event: EventMessage | null;
}
