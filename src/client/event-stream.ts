import type { CaughtUpMessage, GapMessage } from "../protocol/frames.ts";
import { EventBusError } from "./errors.ts";
import type { Http, Parameters } from "./http.ts";
import { parseEvent, parseJson, type ReceivedEvent } from "./received-event.ts";
import { type ServerSentEvent, ServerSentEventParser } from "./server-sent-events.ts";
import { within } from "./waiting.ts";

/** How long a connection may take until the server reports where the stream starts, in milliseconds. */
const OPEN_MS = 15_000;

/** What comes in a stream. `position` is an id up to which everything that matches has been sent. */
export type StreamMessage =
  | { readonly kind: "event"; readonly position: number; readonly event: ReceivedEvent }
  | { readonly kind: "gap"; readonly position: number; readonly gap: GapMessage }
  | { readonly kind: "caughtUp"; readonly position: number }
  | { readonly kind: "position"; readonly position: number };

export interface StreamOptions {
  readonly query: Parameters;
  /** Milliseconds without a byte after which the connection counts as dead. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** One connection to `GET /api/events/stream`. It reads only when asked to, which exerts backpressure. */
export class EventStream {
  readonly #silenceMs: number;
  readonly #signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #parser = new ServerSentEventParser();
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #messages: StreamMessage[] = [];
  /** Why the stream ends, once the server has said so. */
  #stopped: EventBusError | undefined;

  private constructor({ silenceMs, signal }: StreamOptions) {
    this.#silenceMs = silenceMs;
    this.#signal = signal;
  }

  /**
   * Connects, and waits until the server has reported where the stream starts, so that a stream that breaks right after
   * it was opened can be resumed in the right place.
   */
  static async open(http: Http, options: StreamOptions): Promise<EventStream> {
    const stream = new EventStream(options);
    try {
      await within(OPEN_MS, [options.signal], () => stream.#open(http, options.query));
      return stream;
    } catch (error) {
      stream.close();
      throw error;
    }
  }

  /** Returns the next messages, at least one. Rejects when the connection has ended, for whatever reason. */
  async read(): Promise<StreamMessage[]> {
    await this.#fill();
    return this.#messages.splice(0);
  }

  /** Ends the connection; may be called twice. */
  close(): void {
    this.#controller.abort();
    this.#reader?.cancel().catch(() => {});
  }

  async #open(http: Http, query: Parameters): Promise<void> {
    const response = await http.send({
      path: "/api/events/stream",
      query,
      headers: { accept: "text/event-stream" },
      signal: this.#controller.signal,
    });
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
    if (!isStream || response.body === null) {
      throw new EventBusError("protocol", `${http.url} does not return a stream of events`);
    }
    this.#reader = response.body.getReader();
    await this.#fill();
  }

  async #fill(): Promise<void> {
    while (this.#messages.length === 0) {
      if (this.#stopped !== undefined) throw this.#stopped;
      // The time limit starts again with every chunk: a large event on a slow line is not silence.
      const chunk = await within(this.#silenceMs, [this.#signal], async () => this.#reader?.read());
      if (chunk?.value === undefined) throw new EventBusError("network", "the server ended the stream");
      for (const block of this.#parse(chunk.value)) this.#take(block);
    }
  }

  #parse(bytes: Uint8Array): ServerSentEvent[] {
    try {
      return this.#parser.push(this.#decoder.decode(bytes, { stream: true }));
    } catch (error) {
      throw new EventBusError("protocol", "the server sent something that is not a stream of events", { cause: error });
    }
  }

  /** Unknown names are for newer clients. */
  #take({ name, id, data = "", retryMs }: ServerSentEvent): void {
    if (name === "gap") this.#messages.push(gapOf(data));
    else if (name === "caught_up") this.#messages.push(caughtUpOf(data));
    else if (name === "bye") this.#stopped = stoppedError(retryMs);
    else if (name === "message" && data !== "") this.#messages.push(eventOf(data));
    else if (id !== undefined) this.#messages.push({ kind: "position", position: idOf(Number(id)) });
  }
}

function eventOf(data: string): StreamMessage {
  const event = parseEvent(data);
  return { kind: "event", position: event.id, event };
}

function gapOf(data: string): StreamMessage {
  const gap = parseJson(data) as Partial<GapMessage> | null;
  const next = idOf(gap?.next);
  return { kind: "gap", position: next - 1, gap: { type: "gap", after: idOf(gap?.after), next } };
}

function caughtUpOf(data: string): StreamMessage {
  const caughtUp = parseJson(data) as Partial<CaughtUpMessage> | null;
  return { kind: "caughtUp", position: idOf(caughtUp?.id) };
}

function idOf(value: number | undefined): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw new EventBusError("protocol", "the server sent an id that is not a whole number");
}

function stoppedError(retryMs: number | undefined): EventBusError {
  return new EventBusError("network", "the server stops", { retryAfterMs: retryMs });
}
