import type { DeliveredGap } from "../../protocol/consumer.ts";
import { BusError } from "../errors.ts";
import type { Event } from "../event.ts";
import type { EventLog } from "../ports.ts";

/** Characters of a reason that are kept. */
const MAX_REASON_CHARACTERS = 500;

/** One event, or one gap, that is not settled: it is out, waits for another attempt, or was given up. */
export interface Task {
  /** The id of the event; the first missing id of a gap. */
  readonly id: number;
  /** The gap, if it is one. */
  readonly gap: DeliveredGap | undefined;
  /** The topic of the event, if the order is by topic; otherwise empty. */
  readonly lane: string;
  /** The events of its lane after this id are due only after it; 0 if it has none. */
  laneFrom: number;
  /** Attempts that have failed. */
  attempts: number;
  /** When it was handed out, or is due, in milliseconds of the monotonic clock. */
  atMs: number;
  /** Why the last attempt failed. */
  reason: string;
  /** The attempt that is out; empty if none is. */
  delivery: string;
  /** Number of its row in the store; 0 if it has none. */
  row: number;
  /** How many tasks were settled when it was handed out. */
  settledBefore: number;
  /** Kept only until the first attempt. */
  event: Event | undefined;
}

/** What is given to a taker: one attempt. */
export type Delivery = { readonly delivery: string; readonly attempt: number } & (
  | { readonly event: Event; readonly gap?: undefined }
  | { readonly gap: DeliveredGap; readonly event?: undefined }
);

/** An event that was given up. */
export interface DeadTask extends Task {
  /** Milliseconds since 1970. */
  readonly deadAtMs: number;
}

export function makeTask({
  id,
  gap,
  lane = "",
  laneFrom = 0,
  attempts = 0,
  atMs = 0,
  reason = "",
  row = 0,
  event,
}: Pick<Task, "id"> & Partial<Task>): Task {
  return { id, gap, lane, laneFrom, attempts, atMs, reason, delivery: "", row, settledBefore: 0, event };
}

/** What a taker gets for the task. An event that was removed, or is damaged, has become a gap. */
export function contentOf(
  log: EventLog,
  { id, gap, event }: Task,
): { readonly event: Event } | { readonly gap: DeliveredGap } {
  if (gap) return { gap };
  const found = event ?? eventOf(log, id);
  return found ? { event: found } : { gap: { after: id - 1, next: id + 1 } };
}

/** The event; undefined if it was removed or is damaged. */
export function eventOf(log: EventLog, id: number): Event | undefined {
  try {
    return log.get(id);
  } catch (error) {
    if (error instanceof BusError && error.code === "internal") return undefined;
    throw error;
  }
}

/** The part of a reason that is kept. */
export function shortened(reason: string): string {
  return reason.slice(0, MAX_REASON_CHARACTERS).toWellFormed();
}
