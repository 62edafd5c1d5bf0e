import type { DeliveredGap } from "../../protocol/consumer.ts";
import { BusError } from "../errors.ts";
import type { Event } from "../event.ts";
import type { EventLog } from "../ports.ts";
import type { Task } from "./task.ts";

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
