import type { Bus } from "../bus/bus.ts";
import type { Event } from "../bus/event.ts";
import type { Interest } from "../bus/interest.ts";
import type { PatternSet } from "../bus/pattern-set.ts";
import { encodeItems, type StreamFormat } from "./stream-format.ts";

/** Events that are encoded in one piece, so that a large batch does not stand in memory whole once more. */
const CHUNK_EVENTS = 500;

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
  join(stream: LiveStream, topics: PatternSet, format: StreamFormat): void {
    const key = `${format.contentType} ${topics.key}`;
    let group = this.#byKey.get(key);
    if (group === undefined) {
      group = new LiveGroup(topics, format);
      this.#byKey.set(key, group);
      this.#bus.addInterest(group);
    }
    group.streams.add(stream);
  }

  leave(stream: LiveStream, topics: PatternSet, format: StreamFormat): void {
    const key = `${format.contentType} ${topics.key}`;
    const group = this.#byKey.get(key);
    if (!group?.streams.delete(stream) || group.streams.size > 0) return;
    this.#byKey.delete(key);
    this.#bus.removeInterest(group);
  }
}

class LiveGroup implements Interest {
  readonly topics: PatternSet;
  readonly streams = new Set<LiveStream>();
  readonly #format: StreamFormat;
  #batch: Event[] = [];

  constructor(topics: PatternSet, format: StreamFormat) {
    this.topics = topics;
    this.#format = format;
  }

  deliver(event: Event): void {
    this.#batch.push(event);
    if (this.#batch.length >= CHUNK_EVENTS) this.endBatch();
  }

  endBatch(): void {
    const last = this.#batch.at(-1);
    if (last === undefined) return;
    const bytes = encodeItems(this.#batch, this.#format);
    this.#batch = [];
    for (const stream of [...this.streams]) stream.push(bytes, last.id);
  }
}
