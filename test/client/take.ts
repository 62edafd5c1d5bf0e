import type { ReceivedEvent, Subscription } from "../../src/client/index.ts";

/** The next `count` events; fails if the subscription ends first. */
export async function take(subscription: Subscription, count: number): Promise<ReceivedEvent[]> {
  const events: ReceivedEvent[] = [];
  while (events.length < count) {
    const { done, value } = await subscription.next();
    if (done) throw new Error(`the subscription ended after ${events.length} events`);
    events.push(value);
  }
  return events;
}

/** The whole numbers from `first` to `last`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
