import type { Bus } from "../bus/bus.ts";
import type { Event } from "../bus/event.ts";
import type { Interest } from "../bus/interest.ts";
import type { Meter } from "../bus/meter.ts";
import type { KeyedMatcher } from "../bus/scope.ts";
import type { Tuning } from "../bus/tuning.ts";
import { encodeItems, type StreamFormat } from "./stream-format.ts";

/** A stream that is up to date. */
export interface LiveStream {
  /** Takes the bytes of one or more events, `lastId` being the last one. Must not keep the caller waiting. */
  push(bytes: Uint8Array, lastId: number): void;
}

/** The streams that are up to date, grouped by what they want and how: one encoding a batch and a group. */
export class LiveStreams {
  readonly #bus: Bus;
  readonly #byKey = new Map<string, LiveGroup>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** From now on the stream is pushed every event that matches. */
  join(stream: LiveStream, topics: KeyedMatcher, format: StreamFormat): void {
    const key = `${format.contentType} ${topics.key}`;
    let group = this.#byKey.get(key);
    if (group === undefined) {
      group = new LiveGroup(topics, format, this.#bus);
      this.#byKey.set(key, group);
      this.#bus.addInterest(group);
    }
    group.streams.add(stream);
  }

  leave(stream: LiveStream, topics: KeyedMatcher, format: StreamFormat): void {
    const key = `${format.contentType} ${topics.key}`;
    const group = this.#byKey.get(key);
    if (!group?.streams.delete(stream) || group.streams.size > 0) return;
    this.#byKey.delete(key);
    this.#bus.removeInterest(group);
  }
}

/** Encodes a batch in pieces of `checkCharacters`, so that a large one does not stand in memory whole once more. */
class LiveGroup implements Interest {
  readonly topics: KeyedMatcher;
  readonly streams = new Set<LiveStream>();
  readonly #format: StreamFormat;
  readonly #tuning: Tuning;
  readonly #meter: Meter;
  #batch: Event[] = [];
  #batchCharacters = 0;

  constructor(
    topics: KeyedMatcher,
    format: StreamFormat,
    { tuning, meter }: { readonly tuning: Tuning; readonly meter: Meter },
  ) {
    this.topics = topics;
    this.#format = format;
    this.#tuning = tuning;
    this.#meter = meter;
  }

  deliver(event: Event): void {
    this.#batch.push(event);
    this.#batchCharacters += event.json.length;
    if (this.#batchCharacters >= this.#tuning.checkCharacters) this.endBatch();
  }

  endBatch(): void {
    const last = this.#batch.at(-1);
    if (last === undefined) return;
    const bytes = encodeItems(this.#batch, this.#format);
    this.#meter.deliver("stream", this.#batch.length * this.streams.size, this.#batchCharacters * this.streams.size);
    this.#batch = [];
    this.#batchCharacters = 0;
    for (const stream of [...this.streams]) stream.push(bytes, last.id);
  }
}
