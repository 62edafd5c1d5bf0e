import type { Event } from "../../src/bus/event.ts";
import { Bus, type OpenOptions, type Subscriber } from "../../src/index.ts";

/** A bus that keeps its history in memory, and stops at the end of the test. */
export function openMemoryBus(options: OpenOptions = {}): { readonly bus: Bus } & AsyncDisposable {
  const bus = Bus.open(":memory:", options);
  return { bus, [Symbol.asyncDispose]: () => bus.stop() };
}

/** Publishes these many events, one batch, their data counting from 1. */
export async function publishCounted(bus: Bus, count: number, topic = "a"): Promise<Event[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => bus.publish(topic, index + 1)));
}

/** The next events, this many; fails the test if the subscriber ends before that. */
export async function take(subscriber: Subscriber, count: number): Promise<Event[]> {
  const events: Event[] = [];
  while (events.length < count) {
    const { value } = await subscriber.next();
    if (value === undefined) throw new Error(`the subscriber ended after ${events.length} events`);
    events.push(value);
  }
  return events;
}

export async function takeIds(subscriber: Subscriber, count: number): Promise<number[]> {
  return (await take(subscriber, count)).map((event) => event.id);
}

/** The whole numbers from `first` to `last`, both included. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
