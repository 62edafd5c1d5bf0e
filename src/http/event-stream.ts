import type { Cursor } from "../bus/cursor.ts";
import { Event } from "../bus/event.ts";
import { Follower } from "../bus/follower.ts";
import type { KeyedMatcher } from "../bus/scope.ts";
import type { Tuning } from "../bus/tuning.ts";
import type { Guest } from "./guests.ts";
import type { LiveStream, LiveStreams } from "./live-bytes.ts";
import type { SpareTime } from "./spare-time.ts";
import { encodeItems, type StreamFormat } from "./stream-format.ts";

export interface EventStreamParts {
  readonly cursor: Cursor;
  readonly topics: KeyedMatcher;
  readonly format: StreamFormat;
  readonly lives: LiveStreams;
  readonly spareTime: SpareTime;
  readonly tuning: Tuning;
  /** The newest id that the reader may know of. */
  readonly newestId: () => number;
  readonly onClose: (stream: EventStream) => void;
}

/** One subscriber by server-sent events or JSON lines. It is pulled: what the client does not take is not made. */
export class EventStream implements LiveStream, Guest {
  readonly #parts: EventStreamParts;
  readonly #follower: Follower;
  readonly body: ReadableStream<Uint8Array>;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #wake: (() => void) | undefined;
  /** The newest id that the client was given or told of while live. */
  #passedId = 0;
  #isEnding = false;
  #isStarted = false;
  #spokeMs = performance.now();
  #isClosed = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(parts: EventStreamParts) {
    this.#parts = parts;
    this.#follower = new Follower(parts.cursor, {
      join: () => parts.lives.join(this, parts.topics, parts.format),
      leave: () => parts.lives.leave(this, parts.topics, parts.format),
    });
    // A high-water mark of 0: nothing is made before the client has taken the last of it.
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => this.#keep(controller),
        pull: (controller) => this.#pull(controller),
        cancel: () => this.#close(),
      },
      { highWaterMark: 0 },
    );
  }

  get isLive(): boolean {
    return this.#follower.isLive;
  }

  push(bytes: Uint8Array, lastId: number): void {
    this.#passedId = lastId;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > this.#parts.tuning.maxWaitingBytes) this.#follower.fallBehind(lastId);
    this.#wakeUp();
  }

  /** The server stops: say so, and end. */
  end(): void {
    this.#isEnding = true;
    this.#follower.close();
    this.#wakeUp();
  }

  /** Ends without a word and without what waits, whether the client reads or not. */
  expel(): void {
    this.#waiting = [];
    this.#close();
    try {
      this.#controller?.close();
    } catch {
      // The client has closed it.
    }
  }

  /** There is nothing more to send, ever. */
  get #isEnded(): boolean {
    return this.#isClosed || (this.#isEnding && this.#waiting.length === 0);
  }

  #keep(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    // A pull that enqueues nothing is not repeated: go on until there is something, or the end.
    let bytes = this.#start();
    while (bytes === undefined && !this.#isEnded) {
      bytes = this.#takeWaiting() ?? (await (this.#follower.isLive ? this.#sleep() : this.#replay()));
    }
    if (this.#isClosed) return;
    if (bytes !== undefined) controller.enqueue(bytes);
    if (!this.#isEnded) return;
    if (this.#parts.format.end !== "") controller.enqueue(encode(this.#parts.format.end));
    controller.close();
    this.#close();
  }

  /** Headers travel with the first bytes: send some at once. */
  #start(): Uint8Array | undefined {
    if (this.#isStarted) return undefined;
    this.#isStarted = true;
    return encode(this.#parts.format.keepAlive(this.#parts.cursor.position));
  }

  #takeWaiting(): Uint8Array | undefined {
    if (this.#waiting.length === 0) return undefined;
    const bytes = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return bytes;
  }

  /** The next page of history, when there is time for it. */
  #replay(): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => this.#parts.spareTime.run(() => resolve(this.#readPage())));
  }

  /** Undefined when nothing in it matched; but a long search says now and then that it is alive, and how far it came. */
  #readPage(): Uint8Array | undefined {
    const { cursor, format, tuning } = this.#parts;
    const items = this.#follower.read(tuning.pageEvents);
    const nowMs = performance.now();
    const isSilentForLong = nowMs - this.#spokeMs > tuning.keepAliveMs;
    if (items.length === 0 && !isSilentForLong) return undefined;
    this.#spokeMs = nowMs;
    for (const item of items) if (item instanceof Event) cursor.meter.deliver("stream", 1, item.json.length);
    return items.length === 0 ? encode(format.keepAlive(cursor.position)) : encodeItems(items, format);
  }

  /** Waits for an event, for the end, or for the time to say that the stream is alive. */
  async #sleep(): Promise<Uint8Array | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, this.#parts.tuning.keepAliveMs);
    });
    clearTimeout(timer);
    this.#wake = undefined;
    if (this.#waiting.length > 0 || this.#isEnding) return this.#takeWaiting();
    const { format, newestId, cursor } = this.#parts;
    // Retention may have removed what was sent or told: an id never goes back.
    this.#passedId = Math.max(newestId(), this.#passedId, cursor.position ?? 0);
    return encode(format.keepAlive(this.#passedId));
  }

  #wakeUp(): void {
    this.#wake?.();
  }

  #close(): void {
    this.#isClosed = true;
    this.#follower.close();
    this.#wakeUp();
    this.#parts.onClose(this);
  }
}

function encode(text: string): Uint8Array {
  return encoder.encode(text);
}
const encoder = new TextEncoder();
