import type { Bus } from "../bus/bus.ts";
import type { Event } from "../bus/event.ts";
import type { Interest } from "../bus/interest.ts";
import type { PatternSet } from "../bus/pattern-set.ts";

/**
 * Characters published to a topic between two looks at its sockets' buffers. Bun drops a message for a socket whose
 * buffer is over its limit, without a word, so no socket may ever come near: see `SOFT_MARK_BYTES`.
 */
const CHECK_CHARACTERS = 128 * 1024;
/** A socket with more than this waiting to be sent is served from history instead, at its own pace. */
const SOFT_MARK_BYTES = 512 * 1024;

/** A subscriber that takes part in native publish. */
export interface LiveSocket {
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  /** Leave the topic and read on from history after `lastId`, the last event that was published to the socket. */
  fallBehind(lastId: number): void;
}

/** What Bun's server offers for a native publish. */
export interface Publisher {
  publish(topic: string, text: string): number;
}

/** The sockets that are up to date, grouped by what they want: one native publish an event and a group. */
export class LiveTopics {
  readonly #bus: Bus;
  readonly #byKey = new Map<string, LiveTopic>();
  #created = 0;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** From now on the socket gets every event that matches. */
  join(socket: LiveSocket, topics: PatternSet, publisher: Publisher): LiveTopic {
    let live = this.#byKey.get(topics.key);
    if (live === undefined) {
      live = new LiveTopic(`events/${++this.#created}`, topics, publisher);
      this.#byKey.set(topics.key, live);
      this.#bus.addInterest(live);
    }
    live.add(socket);
    return live;
  }

  leave(socket: LiveSocket, live: LiveTopic): void {
    live.delete(socket);
    if (live.size > 0) return;
    this.#byKey.delete(live.topics.key);
    this.#bus.removeInterest(live);
  }
}

/** One distinct set of patterns, and the native topic that stands for it. */
export class LiveTopic implements Interest {
  readonly name: string;
  readonly topics: PatternSet;
  readonly #publisher: Publisher;
  readonly #sockets = new Set<LiveSocket>();
  #unchecked = 0;

  constructor(name: string, topics: PatternSet, publisher: Publisher) {
    this.name = name;
    this.topics = topics;
    this.#publisher = publisher;
  }

  get size(): number {
    return this.#sockets.size;
  }

  add(socket: LiveSocket): void {
    this.#sockets.add(socket);
  }

  delete(socket: LiveSocket): void {
    this.#sockets.delete(socket);
  }

  deliver(event: Event): void {
    this.#publisher.publish(this.name, event.json);
    this.#unchecked += event.json.length;
    if (this.#unchecked >= CHECK_CHARACTERS) this.#moveSlowOnes(event.id);
  }

  #moveSlowOnes(lastId: number): void {
    this.#unchecked = 0;
    for (const socket of this.#sockets) {
      if (socket.bufferedBytes > SOFT_MARK_BYTES) socket.fallBehind(lastId);
    }
  }
}
