import { EventBusError, isOfServer } from "./errors.ts";
import { EventStream, type StreamMessage } from "./event-stream.ts";
import type { Http, Parameters } from "./http.ts";
import { type ConnectionEvent, type ConnectionState, nextState } from "./reconnect.ts";
import { isOffline, networkBack, pause } from "./waiting.ts";

export interface LinkOptions {
  readonly patterns: readonly string[];
  /** `since` or `last`, for the first connection. */
  readonly start: Parameters;
  readonly silenceMs: number;
  readonly onState: (state: ConnectionState) => void;
}

/**
 * One stream of messages over as many connections as it takes: does what {@link nextState} says, and remembers where to
 * resume.
 */
export class Link {
  readonly #http: Http;
  readonly #patterns: readonly string[];
  readonly #start: Parameters;
  readonly #silenceMs: number;
  readonly #onState: (state: ConnectionState) => void;
  readonly #closing = new AbortController();
  /** Settles when the first connection is open, or never will be. */
  readonly opened: Promise<void>;
  #state: ConnectionState = { kind: "connecting", failures: 0 };
  #stream: EventStream | undefined;
  /** The address of the connection, or of the attempt. */
  #url = "";
  #openedMs = 0;
  #wasGood = false;
  #position: number | undefined;

  /** Connects at once. */
  constructor(http: Http, { patterns, start, silenceMs, onState }: LinkOptions) {
    this.#http = http;
    this.#patterns = patterns;
    this.#start = start;
    this.#silenceMs = silenceMs;
    this.#onState = onState;
    this.opened = this.#establish().then(() => this.#requireOpen());
    // `read` rejects with the error as well.
    this.opened.catch(() => {});
  }

  /**
   * What came next; undefined after `close`. The caller must have handled it before it calls again: what was returned
   * counts as received. Rejects with an error that reconnecting cannot fix.
   */
  async read(): Promise<readonly StreamMessage[] | undefined> {
    await this.opened.catch(() => {});
    for (;;) {
      await this.#establish();
      if (this.#stream === undefined) return undefined;
      try {
        return this.#receive(await this.#stream.read());
      } catch (error) {
        this.#lose(error);
      }
    }
  }

  /** Ends the connection and pending calls of `read`; may be called twice. */
  close(): void {
    this.#change({ kind: "closed" });
    this.#closing.abort(closedError());
    this.#stream?.close();
    this.#stream = undefined;
  }

  #receive(messages: StreamMessage[]): readonly StreamMessage[] {
    const [first] = messages;
    // Ids never decrease within one history. So either it was replaced, and what the new one contains up to here is
    // unknown; or the token may read less than the previous one. If the server knows, it reports a gap itself.
    if (first && first.kind !== "gap" && this.#position !== undefined && first.position < this.#position) {
      const next = first.kind === "event" ? first.position : first.position + 1;
      messages.unshift({ kind: "gap", position: next - 1, gap: { type: "gap", after: 0, next } });
    }
    this.#position = messages.at(-1)?.position ?? this.#position;
    return messages;
  }

  /** Goes on until there is a connection, or an end. Rejects with the error that ended it. */
  async #establish(): Promise<void> {
    for (;;) {
      const state = this.#state;
      if (state.kind === "open") return;
      if (state.kind === "ended") {
        if (state.error === undefined) return;
        throw state.error;
      }
      if (state.kind === "connecting") await this.#connect();
      else {
        const { signal } = this.#closing;
        await (state.kind === "waiting" ? pause(state.delayMs, signal) : networkBack(signal));
        this.#change({ kind: "woken" });
      }
    }
  }

  #requireOpen(): void {
    if (this.#stream === undefined) throw closedError();
  }

  async #connect(): Promise<void> {
    const start = this.#position === undefined ? this.#start : { last_event_id: this.#position };
    const query = { pattern: this.#patterns, ...start };
    const options = { query, silenceMs: this.#silenceMs, signal: this.#closing.signal };
    this.#url = this.#http.url;
    try {
      const stream = await EventStream.open(this.#http, options);
      if (this.#state.kind !== "connecting") return stream.close();
      this.#stream = stream;
      this.#openedMs = performance.now();
      this.#wasGood = true;
      this.#change({ kind: "opened" });
    } catch (error) {
      this.#lose(error);
    }
  }

  #lose(error: unknown): void {
    // Reconnecting cannot fix a programming error.
    if (!(error instanceof EventBusError)) throw error;
    const openMs = this.#stream === undefined ? 0 : performance.now() - this.#openedMs;
    this.#stream?.close();
    this.#stream = undefined;
    const [wasGood, random] = [this.#wasGood, Math.random()];
    if (isOfServer(error) || error.code === "protocol") this.#http.leave(this.#url);
    const [isOff, servers] = [isOffline(this.#http.url), this.#http.size];
    this.#change({ kind: "lost", error, openMs, isOffline: isOff, servers, wasGood, random });
  }

  #change(event: ConnectionEvent): void {
    const before = this.#state;
    this.#state = nextState(before, event);
    if (this.#state !== before) this.#onState(this.#state);
  }
}

function closedError(): EventBusError {
  return new EventBusError("closed", "the subscription was closed");
}
