import type { Item } from "../../bus/cursor.ts";
import type { Channel } from "../../bus/delivery/cohort.ts";
import { Event } from "../../bus/event.ts";

/** A subscriber that takes part in native publish. */
export interface ChannelSocket {
  enter(channel: SocketChannel): void;
  leave(channel: SocketChannel): void;
  /** Is passed what Bun still holds of the channel. */
  settle(channel: SocketChannel): void;
}

/** What Bun's server offers for a native publish. */
export interface Publisher {
  publish(topic: string, text: string): number;
}

let created = 0;

/**
 * A native topic of Bun's: one publish for all sockets of a cohort.
 *
 * Bun keeps the order between what is published and what is sent to one socket, also when it subscribes and unsubscribes
 * in between. But it drops a message for a socket whose buffer is over its limit, without a word, so no socket may ever
 * come near: those that are full leave. What can wait in a socket before it is noticed is the bound of each, what is
 * delivered between two looks, and what Bun has not passed to the socket yet: 32 messages of less than 16 KiB (larger
 * ones it passes at once).
 */
export class SocketChannel implements Channel<ChannelSocket> {
  readonly name = `events/${++created}`;
  readonly #publisher: Publisher;
  readonly #sockets = new Set<ChannelSocket>();
  /** Of all that was ever published to it. */
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

  /** Bun passes on what was published by itself, and before anything else that is sent. */
  flush(): void {}

  /** Costs some microseconds a socket. */
  settle(): void {
    for (const socket of this.#sockets) socket.settle(this);
  }
}
