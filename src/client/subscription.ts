import type { GapMessage } from "../protocol/frames.ts";
import type { Http } from "./http.ts";
import { Link } from "./link.ts";
import { type ReceivedEvent, withDataOf } from "./received-event.ts";
import type { ConnectionState } from "./reconnect.ts";

/** Events that retention removed before they could be delivered: those between the two ids, both exclusive. */
export type Gap = Omit<GapMessage, "type">;

export interface SubscribeOptions {
  /**
   * Where to start: after this event id, at this time, or what the text says: an id, an RFC 3339 time, a duration such
   * as `30s`, `10m`, `24h`, `7d` (by the server's clock, when it first answers), `all`, `now`. Default: with the next
   * event that is published once the server has answered, see {@link Subscription.opened}.
   */
  since?: number | Date | string | undefined;
  /** Start with this many of the newest matching events, 1 to 10,000. Cannot be combined with `since`. */
  last?: number | undefined;
  /** Ends the iteration without an error when it is aborted, as `close` does. */
  signal?: AbortSignal | undefined;
  /**
   * Called in place of events that are missing because retention removed them, once for each gap; what it throws, the
   * loop throws. Without it, gaps go unnoticed. A gap from 0 on, or one whose `next` is not above its `after`, means
   * that the ids went back: the server's history was replaced, for example by a backup, or the token may read less than
   * the previous one.
   */
  onGap?: ((gap: Gap) => void) | undefined;
  /** Called once, when the replay requested by `since` or `last` reached the live events; `id` is then the newest. */
  onCaughtUp?: ((id: number) => void) | undefined;
  /** Called when the connection state changes, for example to show or log it. Must not throw. */
  onState?: ((state: ConnectionState) => void) | undefined;
}

/**
 * The matching events, in id order, each once, however often the connection or the server fails: an async iterable that
 * ends when it is closed, or with an `EventBusError` that reconnecting cannot fix, such as `token_invalid` or
 * `pattern_invalid`.
 *
 * It uses server-sent events by `fetch`, which reads the connection only as fast as the loop consumes events: a slow
 * loop exerts backpressure on the server, which then serves it from history. Nothing is dropped, and neither side fills
 * its memory. (A WebSocket of a browser or of Bun keeps reading, whatever the loop does, and does not report why it was
 * rejected.) The server disconnects a client that reads nothing for a minute; when the loop continues, the subscription
 * resumes.
 *
 * Leaving the loop with `break`, `return` or an error closes the connection; without a loop, call `close`. It can be
 * iterated once.
 */
export class Subscription<T = unknown> implements AsyncIterableIterator<ReceivedEvent<T>> {
  /**
   * Resolves when the server has responded: everything published from then on is delivered. Rejects with the error that
   * ends the subscription before that. It need not be awaited, and its rejection need not be handled.
   */
  readonly opened: Promise<void>;
  readonly #link: Link;
  readonly #signal: AbortSignal | undefined;
  readonly #onGap: SubscribeOptions["onGap"];
  readonly #onCaughtUp: SubscribeOptions["onCaughtUp"];
  readonly #onClose: (subscription: Subscription) => void;
  readonly #events: AsyncGenerator<ReceivedEvent<T>, undefined>;
  #owesCaughtUp: boolean;
  #lastId: number | undefined;
  #isClosed = false;

  /** Created by `EventBusClient.subscribe`. Connects at once. */
  constructor(
    http: Http,
    parts: { patterns: readonly string[]; silenceMs: number; onClose: (subscription: Subscription) => void },
    options: SubscribeOptions,
  ) {
    const { since, last, signal, onGap, onCaughtUp, onState = () => {} } = options;
    this.#signal = signal;
    this.#onGap = onGap;
    this.#onCaughtUp = onCaughtUp;
    this.#onClose = parts.onClose;
    this.#owesCaughtUp = since !== undefined || last !== undefined;
    this.#link = new Link(http, { ...parts, start: { since, last }, onState });
    this.opened = this.#link.opened;
    this.#events = this.#read();
    signal?.addEventListener("abort", this.close);
    if (signal?.aborted) this.close();
  }

  /** The id to pass as `since` to resume, here or elsewhere: the last event's, or a later one that does not match. */
  get lastId(): number | undefined {
    return this.#lastId;
  }

  /** The next event, as soon as there is one. May be called again before it resolves. */
  next(): Promise<IteratorResult<ReceivedEvent<T>, undefined>> {
    return this.#events.next();
  }

  /** Closes; what `for await` calls when the loop is left. */
  async return(): Promise<IteratorResult<ReceivedEvent<T>, undefined>> {
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the iteration and the connection; may be called twice. */
  readonly close = (): void => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal?.removeEventListener("abort", this.close);
    this.#link.close();
    this.#onClose(this);
  };

  async *#read(): AsyncGenerator<ReceivedEvent<T>, undefined> {
    try {
      for (let messages = await this.#link.read(); messages !== undefined; messages = await this.#link.read()) {
        for (const message of messages) {
          if (this.#isClosed) return undefined;
          this.#lastId = message.position;
          if (message.kind === "event") yield withDataOf<T>(message.event);
          else if (message.kind === "gap") this.#reportGap(message.gap);
          else if (message.kind === "caughtUp") this.#reportCaughtUp(message.position);
        }
      }
      return undefined;
    } finally {
      this.close();
    }
  }

  #reportGap({ after, next }: Gap): void {
    this.#onGap?.({ after, next });
  }

  /** To the server, every resumption is a replay; only the end of the requested one is reported. */
  #reportCaughtUp(id: number): void {
    if (!this.#owesCaughtUp) return;
    this.#owesCaughtUp = false;
    this.#onCaughtUp?.(id);
  }
}
