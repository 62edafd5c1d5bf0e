import type { Item } from "../../bus/cursor.ts";
import type { Channel } from "../../bus/delivery/cohort.ts";
import { Event } from "../../bus/event.ts";

/** A subscriber that receives native publishes. */
export interface ChannelSocket {
  enter(channel: SocketChannel): void;
  leave(channel: SocketChannel): void;
  /** Makes Bun send what it still holds for the channel. */
  settle(channel: SocketChannel): void;
}

/** The part of Bun's server that publishes natively. */
export interface Publisher {
  publish(topic: string, text: string): number;
}

let created = 0;

/**
 * A native topic of Bun: one publish for all sockets of a cohort.
 *
 * Bun keeps the order of what is published and what is sent to one socket, also when the socket subscribes and
 * unsubscribes in between. But it silently drops a message for a socket whose buffer is over its limit, so no socket
 * may come near that limit: sockets that are full leave before.
 *
 * Before that is noticed, at most this can be waiting in a socket: its bound, what is delivered between two checks, and
 * what Bun has not passed to it yet: 32 messages of less than 16 KiB (larger ones are passed at once).
 */
export class SocketChannel implements Channel<ChannelSocket> {
  readonly name = `events/${++created}`;
  readonly #publisher: Publisher;
  readonly #sockets = new Set<ChannelSocket>();
  /** Characters of everything that was ever published to it. */
  publishedCharacters = 0;

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  add(socket: ChannelSocket): void {
    this.#sockets.add(socket);
    socket.enter(this);
  }

  remove(socket: ChannelSocket): void {
    this.#sockets.delete(socket);
    socket.leave(this);
  }

  deliver(item: Item): void {
    const text = item instanceof Event ? item.json : JSON.stringify(item);
    this.#publisher.publish(this.name, text);
    this.publishedCharacters += text.length;
  }

  /** Nothing to do: Bun itself sends what was published, before anything else that is sent. */
  flush(): void {}

  /** Costs some microseconds per socket. */
  settle(): void {
    for (const socket of this.#sockets) socket.settle(this);
  }
}
