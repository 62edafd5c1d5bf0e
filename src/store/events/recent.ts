import type { Event } from "../../bus/event.ts";
import type { EventHead } from "./event-head.ts";

/** An event with all columns of its row. */
export interface StoredEvent extends EventHead {
  readonly event: Event;
}

/** The limit for small events: each takes some 200 bytes besides its JSON. */
const MAX_EVENTS = 65_536;
/**
 * Characters of JSON, one byte each unless they are beyond Latin-1: the limit for events of more than 256. Events that
 * are dropped stay in memory until the next full garbage collection, which comes when the heap has about doubled. So
 * each MiB here takes up to four of the process.
 */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** Numbers of a head besides its id. */
const HEAD_NUMBERS = 5;

/**
 * The newest events of the history, in memory, so that readers near the head need neither the disk nor new JSON.
 *
 * Their heads are plain numbers in one array: an object for each of so many events that live long is work for every
 * garbage collection.
 */
export class RecentEvents {
  readonly #maxEvents: number;
  /** The event with an id is at the id modulo `maxEvents`. */
  readonly #ring: (Event | undefined)[] = [];
  readonly #heads: Float64Array;
  #first = 1;
  #next = 1;
  #characters = 0;

  constructor(maxEvents = MAX_EVENTS) {
    this.#maxEvents = maxEvents;
    this.#heads = new Float64Array(maxEvents * HEAD_NUMBERS);
  }

  /** The oldest id that is held; infinite if there is none. */
  get first(): number {
    return this.#first < this.#next ? this.#first : Number.POSITIVE_INFINITY;
  }

  /** Adds the event that was committed next. Drops the oldest ones if there are too many. */
  add({ id, seriesId, createdAtMs, previous, skip, depth, event }: StoredEvent): void {
    if (id !== this.#next) this.#restartAt(id);
    if (this.#next - this.#first === this.#maxEvents) this.#dropFirst();
    const index = id % this.#maxEvents;
    const heads = this.#heads;
    const at = index * HEAD_NUMBERS;
    heads[at] = seriesId;
    heads[at + 1] = createdAtMs;
    heads[at + 2] = previous;
    heads[at + 3] = skip;
    heads[at + 4] = depth;
    this.#ring[index] = event;
    this.#next = id + 1;
    this.#characters += event.json.length;
    while (this.#characters > MAX_CHARACTERS && this.#next - this.#first > 1) this.#dropFirst();
  }

  /** Whether the event with this id is held. */
  has(id: number): boolean {
    return id >= this.#first && id < this.#next;
  }

  /** The event with this id, if it is held. */
  get(id: number): StoredEvent | undefined {
    if (!this.has(id)) return undefined;
    const index = id % this.#maxEvents;
    const event = this.#ring[index];
    if (event === undefined) return undefined;
    const at = index * HEAD_NUMBERS;
    return {
      id,
      seriesId: this.#heads[at] ?? 0,
      createdAtMs: this.#heads[at + 1] ?? 0,
      previous: this.#heads[at + 2] ?? 0,
      skip: this.#heads[at + 3] ?? 0,
      depth: this.#heads[at + 4] ?? 0,
      event,
    };
  }

  #restartAt(id: number): void {
    while (this.#first < this.#next) this.#dropFirst();
    this.#first = id;
    this.#next = id;
  }

  #dropFirst(): void {
    const index = this.#first % this.#maxEvents;
    this.#characters -= this.#ring[index]?.json.length ?? 0;
    this.#ring[index] = undefined;
    this.#first++;
  }
}
