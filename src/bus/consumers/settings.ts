import { ORDERS, type Order, type ConsumerSettings as Written } from "../../protocol/consumer.ts";
import { BusError } from "../errors.ts";
import { PatternSet } from "../patterns/pattern-set.ts";
import type { EventLog } from "../ports.ts";
import { parseSince, type Start } from "../start.ts";
import { StartSearch } from "../start-search.ts";
import { durationOf, formatDuration } from "./duration.ts";
import { type PushSettings, parsePush, writtenPush } from "./push.ts";

/** How a consumer delivers; durations in milliseconds. */
export interface ConsumerSettings {
  readonly pattern: readonly string[];
  readonly topics: PatternSet;
  readonly order: Order;
  readonly ackTimeoutMs: number;
  readonly maxAttempts: number;
  readonly retryMs: readonly number[];
  readonly maxInFlight: number;
  /** Undefined: it is only taken from. */
  readonly push: PushSettings | undefined;
}

/** The settings as a client or the store has them: members of a JSON object. */
export type WrittenSettings = Readonly<Partial<Record<keyof Written, unknown>>>;

const DEFAULT_SETTINGS = {
  order: "topic",
  ack_timeout: "30s",
  max_attempts: 10,
  retry: ["1s", "10s", "1m", "10m"],
  max_in_flight: 1000,
} as const satisfies Partial<Written>;

/** As many as a subscriber may have by default: each event is matched against all of them. */
const MAX_PATTERNS = 64;
/** Work that takes longer should extend its deliveries; a worker that is lost is noticed only after this time. */
const MAX_ACK_TIMEOUT_MS = 24 * 3_600_000;
/** Below this, timers would take more time than deliveries. */
const MIN_ACK_TIMEOUT_MS = 10;
const MAX_ATTEMPTS = 1000;
/** A schedule of more steps says nothing that fewer could not. */
const MAX_RETRY_STEPS = 32;
/** The retention of most histories is shorter. */
const MAX_RETRY_MS = 30 * 24 * 3_600_000;
/** About 30 MB of deliveries in memory. */
const MAX_IN_FLIGHT = 100_000;

/**
 * Reads settings; an omitted member takes its default. Throws `parameter_invalid` with `parameter`, or
 * `pattern_invalid`.
 */
export function parseSettings(written: WrittenSettings): ConsumerSettings {
  const { order, ack_timeout, max_attempts, retry, max_in_flight } = {
    ...DEFAULT_SETTINGS,
    ...withoutUndefined(written),
  };
  const pattern = patternsOf(written.pattern);
  const push = written.push === undefined || written.push === null ? undefined : parsePush(written.push);
  const ackTimeoutMs = durationOf("ack_timeout", ack_timeout, MIN_ACK_TIMEOUT_MS, MAX_ACK_TIMEOUT_MS);
  if (push && push.timeoutMs >= ackTimeoutMs)
    throw invalid("ack_timeout", "ack_timeout must be longer than push.timeout");
  return {
    pattern,
    topics: PatternSet.parse(pattern),
    order: orderOf(order),
    ackTimeoutMs,
    maxAttempts: wholeNumberOf("max_attempts", max_attempts, MAX_ATTEMPTS),
    retryMs: retriesOf(retry),
    maxInFlight: wholeNumberOf("max_in_flight", max_in_flight, MAX_IN_FLIGHT),
    push,
  };
}

/** The settings as `parseSettings` reads them. */
export function writtenOf(settings: ConsumerSettings): Written {
  return {
    pattern: settings.pattern,
    order: settings.order,
    ack_timeout: formatDuration(settings.ackTimeoutMs),
    max_attempts: settings.maxAttempts,
    retry: settings.retryMs.map(formatDuration),
    max_in_flight: settings.maxInFlight,
    push: settings.push ? writtenPush(settings.push) : null,
  };
}

/** How long to wait after this many failed attempts, in milliseconds. */
export function retryDelayMs({ retryMs }: ConsumerSettings, failedAttempts: number): number {
  return retryMs[Math.min(failedAttempts, retryMs.length) - 1] ?? 0;
}

/** Reads how long to wait before the next attempt, such as `10s`. Throws `parameter_invalid`. */
export function parseDelay(value: unknown): number {
  return durationOf("delay", value, 0, MAX_RETRY_MS);
}

/**
 * The id after which a consumer begins: where a subscriber with this `since` would start. Throws `parameter_invalid`.
 * `nowMs` is in milliseconds since 1970.
 */
export function positionOf(log: EventLog, since: unknown, nowMs: number): number {
  const text = typeof since === "number" ? String(since) : since;
  const start = typeof text === "string" ? startOf(text) : undefined;
  if (start === undefined) {
    throw invalid("since", "since must be the id of an event, a time, a duration such as 10m, all, or now");
  }
  if (start.kind === "after" && start.id > log.head) {
    throw invalid("since", "since is above the id of the newest event: give an id, a time, all or now");
  }
  return new StartSearch(log, { topics: EVERYTHING, start }, nowMs).position ?? log.head;
}

const EVERYTHING = { matches: () => true, ranges: [{ prefix: "", isWhole: false }] };

function startOf(text: string): Start {
  try {
    return parseSince(text);
  } catch (error) {
    throw error instanceof BusError ? invalid("since", `since ${error.message}`) : error;
  }
}

function patternsOf(value: unknown): readonly string[] {
  const list = typeof value === "string" ? [value] : value;
  if (isTexts(list) && list.length > 0 && list.length <= MAX_PATTERNS) return list;
  throw invalid("pattern", `a consumer needs a pattern: 1 to ${MAX_PATTERNS} of them, as in ["orders.*"]`);
}

function orderOf(value: unknown): Order {
  const order = ORDERS.find((one) => one === value);
  if (order !== undefined) return order;
  throw invalid("order", `order must be one of ${ORDERS.join(", ")}`);
}

function retriesOf(value: unknown): readonly number[] {
  if (isTexts(value) && value.length > 0 && value.length <= MAX_RETRY_STEPS) {
    return value.map((one) => durationOf("retry", one, 0, MAX_RETRY_MS));
  }
  throw invalid("retry", `retry must be 1 to ${MAX_RETRY_STEPS} durations, as in ["1s","10s","1m"]`);
}

function wholeNumberOf(parameter: string, value: unknown, high: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= high) return value;
  throw invalid(parameter, `${parameter} must be a whole number from 1 to ${high}`);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function withoutUndefined(written: WrittenSettings): WrittenSettings {
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined));
}

function invalid(parameter: string, detail: string): BusError {
  return new BusError("parameter_invalid", detail, { members: { parameter } });
}
