import type { Bus } from "../bus/bus.ts";
import type { Event } from "../bus/event.ts";
import type { Interest } from "../bus/interest.ts";
import type { Meter } from "../bus/meter.ts";
import type { KeyedMatcher } from "../bus/scope.ts";
import type { Tuning } from "../bus/tuning.ts";

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

/** The sockets of one server that are up to date, grouped by what they want: one native publish an event and a group. */
export class LiveTopics {
  readonly #bus: Bus;
  readonly #publisher: Publisher;
  readonly #byKey = new Map<string, LiveTopic>();
  #created = 0;

  constructor(bus: Bus, publisher: Publisher) {
    this.#bus = bus;
    this.#publisher = publisher;
  }

  /** From now on the socket gets every event that matches. */
  join(socket: LiveSocket, topics: KeyedMatcher): LiveTopic {
    let live = this.#byKey.get(topics.key);
    if (live === undefined) {
      live = new LiveTopic(`events/${++this.#created}`, topics, this.#publisher, this.#bus);
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

/**
 * One distinct set of patterns, and the native topic that stands for it.
 *
 * Bun drops a message for a socket whose buffer is over its limit, without a word, so no socket may ever come near:
 * those in which too much waits leave for the history. What can wait in a socket before it is noticed is
 * `maxWaitingBytes`, what is published between two looks, and what Bun has not passed to the socket yet: 32 messages
 * of less than 16 KiB (larger ones it passes at once). With events of 1 KB that is 0.7 MiB.
 */
export class LiveTopic implements Interest {
  readonly name: string;
  readonly topics: KeyedMatcher;
  readonly #publisher: Publisher;
  readonly #tuning: Tuning;
  readonly #meter: Meter;
  readonly #sockets = new Set<LiveSocket>();
  /** Of all events that were published to it. */
  publishedCharacters = 0;
  #uncheckedCharacters = 0;
  /** Published to the sockets and not counted yet. */
  #uncounted = { events: 0, characters: 0 };

  constructor(
    name: string,
    topics: KeyedMatcher,
    publisher: Publisher,
    { tuning, meter }: { readonly tuning: Tuning; readonly meter: Meter },
  ) {
    this.name = name;
    this.topics = topics;
    this.#publisher = publisher;
    this.#tuning = tuning;
    this.#meter = meter;
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
    this.publishedCharacters += event.json.length;
    this.#uncheckedCharacters += event.json.length;
    this.#uncounted.events++;
    this.#uncounted.characters += event.json.length;
    if (this.#uncheckedCharacters >= this.#tuning.checkCharacters) this.#moveSlowOnes(event.id);
  }

  /** Counts before anybody leaves, and not for each event. */
  endBatch(): void {
    const { events, characters } = this.#uncounted;
    this.#uncounted = { events: 0, characters: 0 };
    this.#meter.deliver("websocket", events * this.size, characters * this.size);
  }

  #moveSlowOnes(lastId: number): void {
    this.endBatch();
    this.#uncheckedCharacters = 0;
    for (const socket of this.#sockets) {
      if (socket.bufferedBytes >= this.#tuning.maxWaitingBytes) socket.fallBehind(lastId);
    }
  }
}
