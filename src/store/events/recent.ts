import type { Event } from "../../bus/event.ts";
import type { EventHead } from "./event-head.ts";

/** An event with all columns of its row. */
export interface StoredEvent extends EventHead {
  readonly event: Event;
}

/** The limit for small events: each takes some 300 bytes besides its JSON. */
const MAX_EVENTS = 65_536;
/**
 * Characters of JSON, one byte each unless they are beyond Latin-1: as many as are published during a restart under
 * load.
 */
const MAX_CHARACTERS = 32 * 1024 * 1024;

/** The newest events of the history, in memory, so that readers near the head need neither the disk nor new JSON. */
export class RecentEvents {
  readonly #maxEvents: number;
  /** The event with an id is at the id modulo `maxEvents`. */
  readonly #ring: (StoredEvent | undefined)[] = [];
  #first = 1;
  #next = 1;
  #characters = 0;

  constructor(maxEvents = MAX_EVENTS) {
    this.#maxEvents = maxEvents;
  }

  /** The oldest id that is held; infinite if there is none. */
  get first(): number {
    return this.#first < this.#next ? this.#first : Number.POSITIVE_INFINITY;
  }

  /** Adds the event that was committed next. Drops the oldest ones if there are too many. */
  add(stored: StoredEvent): void {
    if (stored.id !== this.#next) this.#restartAt(stored.id);
    if (this.#next - this.#first === this.#maxEvents) this.#dropFirst();
    this.#ring[stored.id % this.#maxEvents] = stored;
    this.#next = stored.id + 1;
    this.#characters += stored.event.json.length;
    while (this.#characters > MAX_CHARACTERS && this.#next - this.#first > 1) this.#dropFirst();
  }

  /** The event with this id, if it is held. */
  get(id: number): StoredEvent | undefined {
    return id >= this.#first && id < this.#next ? this.#ring[id % this.#maxEvents] : undefined;
  }

  #restartAt(id: number): void {
    while (this.#first < this.#next) this.#dropFirst();
    this.#first = id;
    this.#next = id;
  }

  #dropFirst(): void {
    const index = this.#first % this.#maxEvents;
    this.#characters -= this.#ring[index]?.event.json.length ?? 0;
    this.#ring[index] = undefined;
    this.#first++;
  }
}
