import { Event, formatTime, type SeriesName } from "../../bus/event.ts";
import { enlarged, enlargedBytes } from "./enlarged.ts";
import type { EventHead } from "./event-head.ts";

/** An event with all columns of its row. */
export interface StoredEvent extends EventHead {
  readonly event: Event;
}

/** The limit for small events. */
const MAX_EVENTS = 65_536;
/** Bytes of the JSON of all of them: the limit for events of more than 256 bytes. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Room at first, doubled when it is used up: the engine collects garbage the later, the more memory it counts. */
const FIRST_EVENTS = 1024;
const FIRST_BYTES = 64 * 1024;

/** Numbers of an event besides its id: those of its head, then where its text begins, and how many bytes it has. */
const NUMBERS = 7;

/**
 * The newest events of the history, in memory, so that readers near the head need not wait for the disk.
 *
 * They are kept as bytes and numbers, in arrays that are reused, and become objects when they are first read. As objects, tens of thousands of events that live this long were work for every garbage collection, and most are never
 * read. Those that are read stay objects, so that all readers share them.
 */
export class RecentEvents {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  /** The event with an id is at its distance from `#base`, modulo `maxEvents`. */
  #numbers: Float64Array;
  readonly #series: (SeriesName | undefined)[] = [];
  /** Those that were read. */
  readonly #events: (Event | undefined)[] = [];
  /** The texts, one behind another. The next one begins at the start again if there is no room for it at the end. */
  #texts: Buffer;
  #textsEnd = 0;
  #base = 1;
  #first = 1;
  #next = 1;
  #bytesAdded = 0;

  /** Only tests change the limits. */
  constructor(maxEvents = MAX_EVENTS, maxBytes = MAX_BYTES) {
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
    this.#texts = Buffer.alloc(Math.min(FIRST_BYTES, maxBytes));
    this.#numbers = new Float64Array(Math.min(FIRST_EVENTS, maxEvents) * NUMBERS);
  }

  /** The oldest id that is held; infinite if there is none. */
  get first(): number {
    return this.#first < this.#next ? this.#first : Number.POSITIVE_INFINITY;
  }

  /** Bytes of JSON of all events that were ever added. */
  get bytesAdded(): number {
    return this.#bytesAdded;
  }

  /**
   * Adds the event that was committed next. Drops the oldest ones if there are too many; all of them, and the event
   * itself, if it is larger than they may be together.
   */
  add({ id, seriesId, createdAtMs, previous, skip, depth, event }: StoredEvent, series: SeriesName): void {
    const { json, bytes } = event;
    this.#bytesAdded += bytes;
    if (id !== this.#next) this.#restartAt(id);
    if (bytes > this.#maxBytes) {
      this.#restartAt(id + 1);
      return;
    }
    if (this.#next - this.#first === this.#maxEvents) this.#dropFirst();
    const start = this.#makeRoom(bytes);
    this.#texts.write(json, start, bytes);
    const index = this.#indexOf(id);
    const at = index * NUMBERS;
    if (at === this.#numbers.length) {
      this.#numbers = enlarged(this.#numbers, Math.min(2 * at, this.#maxEvents * NUMBERS));
    }
    const numbers = this.#numbers;
    numbers[at] = seriesId;
    numbers[at + 1] = createdAtMs;
    numbers[at + 2] = previous;
    numbers[at + 3] = skip;
    numbers[at + 4] = depth;
    numbers[at + 5] = start;
    numbers[at + 6] = bytes;
    this.#series[index] = series;
    this.#next = id + 1;
  }

  /** Whether the event with this id is held. */
  has(id: number): boolean {
    return id >= this.#first && id < this.#next;
  }

  /** The event with this id, if it is held. */
  get(id: number): StoredEvent | undefined {
    const head = this.head(id);
    const index = this.#indexOf(id);
    const series = this.#series[index];
    if (head === undefined || series === undefined) return undefined;
    const event = this.#events[index] ?? this.#read(head, series);
    this.#events[index] = event;
    return { ...head, event };
  }

  #read({ id, createdAtMs }: EventHead, series: SeriesName): Event {
    const start = this.#startOf(id);
    const json = this.#texts.toString("utf8", start, start + this.#bytesOf(id));
    return Event.fromJson(json, id, series, formatTime(createdAtMs));
  }

  /** The head of the event with this id, if it is held. */
  head(id: number): EventHead | undefined {
    if (!this.has(id)) return undefined;
    const at = this.#indexOf(id) * NUMBERS;
    return {
      id,
      seriesId: this.#numbers[at] ?? 0,
      createdAtMs: this.#numbers[at + 1] ?? 0,
      previous: this.#numbers[at + 2] ?? 0,
      skip: this.#numbers[at + 3] ?? 0,
      depth: this.#numbers[at + 4] ?? 0,
    };
  }

  #indexOf(id: number): number {
    return (id - this.#base) % this.#maxEvents;
  }

  #startOf(id: number): number {
    return this.#numbers[this.#indexOf(id) * NUMBERS + 5] ?? 0;
  }

  #bytesOf(id: number): number {
    return this.#numbers[this.#indexOf(id) * NUMBERS + 6] ?? 0;
  }

  /** Makes room for the next text by dropping the events that are in its place; returns where it begins. */
  #makeRoom(bytes: number): number {
    if (this.#textsEnd + bytes > this.#texts.length) this.#enlargeTexts(this.#textsEnd + bytes);
    if (this.#textsEnd + bytes > this.#maxBytes) {
      this.#dropWithin(this.#textsEnd, this.#maxBytes);
      this.#textsEnd = 0;
    }
    const start = this.#textsEnd;
    this.#textsEnd += bytes;
    this.#dropWithin(start, this.#textsEnd);
    return start;
  }

  /** Until the room has its full size, it is used only once from its start to its end, so nothing has to move. */
  #enlargeTexts(needed: number): void {
    const length = Math.min(Math.max(needed, 2 * this.#texts.length), this.#maxBytes);
    if (length > this.#texts.length) this.#texts = enlargedBytes(this.#texts, length);
  }

  /** The oldest texts are the next ones behind the newest. */
  #dropWithin(start: number, end: number): void {
    while (this.#first < this.#next) {
      const at = this.#startOf(this.#first);
      if (at < start || at >= end) return;
      this.#dropFirst();
    }
  }

  #restartAt(id: number): void {
    while (this.#first < this.#next) this.#dropFirst();
    this.#base = id;
    this.#first = id;
    this.#next = id;
    this.#textsEnd = 0;
  }

  #dropFirst(): void {
    const index = this.#indexOf(this.#first);
    this.#series[index] = undefined;
    this.#events[index] = undefined;
    this.#first++;
  }
}
