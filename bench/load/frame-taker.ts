import { type Counter, frameSize, headerSize, isText } from "./frames.ts";
import { Subscriber } from "./subscriber.ts";

const FIN_TEXT = 0x81;
const MASKED = 0x80;
/** A mask that changes nothing: allowed, and the cheapest. */
const MASK = Buffer.alloc(4);
const QUOTE = 0x22;
const ACK_HEAD = Buffer.from('{"type":"ack","deliveries":["');
const ACK_TAIL = Buffer.from('"]}');

/** A worker on a WebSocket: acknowledges each delivery by a frame of its own; those of one chunk are one write. */
export class FrameTaker implements Counter {
  events = 0;
  #rest: Buffer = Buffer.alloc(0);
  #subscriber: Subscriber | undefined;
  /** What stands before the name in a delivery of this consumer. */
  readonly #head: Buffer;
  readonly #consume: Buffer;
  readonly #failed = Promise.withResolvers<never>();

  readonly #onDelivery: ((text: string) => void) | undefined;

  private constructor(consumer: string, credit: number, onDelivery: ((text: string) => void) | undefined) {
    this.#onDelivery = onDelivery;
    this.#head = Buffer.from(`{"type":"delivery","consumer":"${consumer}","delivery":"`);
    this.#consume = Buffer.from(`{"type":"consume","ref":1,"consumer":"${consumer}","credit":${credit}}`);
  }

  /** Connects, and takes from now on. Calls `onDelivery` with the text of each delivery. */
  static async open(
    port: number,
    consumer: string,
    credit: number,
    onDelivery?: (text: string) => void,
  ): Promise<FrameTaker> {
    const taker = new FrameTaker(consumer, credit, onDelivery);
    // A pattern that nothing matches: the socket only consumes.
    taker.#subscriber = await Subscriber.open(port, "websocket", "/api/events/subscribe?pattern=nothing", taker);
    taker.#subscriber.send(frameOf([taker.#consume]));
    return taker;
  }

  /** Rejects when the server sends anything but a delivery. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  take(chunk: Buffer, start: number): void {
    const fresh = chunk.subarray(start);
    const bytes = this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
    const acks: Buffer[] = [];
    let at = 0;
    while (at < bytes.length) {
      const size = frameSize(bytes, at, bytes.length);
      if (size === 0 || at + size > bytes.length) break;
      if (isText(bytes, at)) this.#see(bytes, at + headerSize(bytes, at), at + size, acks);
      at += size;
    }
    this.#rest = bytes.subarray(at);
    if (acks.length > 0) this.#subscriber?.send(Buffer.concat(acks));
  }

  close(): void {
    this.#subscriber?.close();
  }

  #see(bytes: Buffer, start: number, end: number, acks: Buffer[]): void {
    const nameStart = start + this.#head.length;
    if (bytes.compare(this.#head, 0, this.#head.length, start, Math.min(nameStart, end)) !== 0) {
      const text = bytes.toString("utf8", start, end);
      if (!text.startsWith('{"type":"ack"')) this.#failed.reject(new Error(`the server sent ${text.slice(0, 500)}`));
      return;
    }
    this.events++;
    this.#onDelivery?.(bytes.toString("utf8", start, end));
    acks.push(frameOf([ACK_HEAD, bytes.subarray(nameStart, bytes.indexOf(QUOTE, nameStart)), ACK_TAIL]));
  }
}

/** A masked text frame of less than 126 bytes. */
function frameOf(parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([FIN_TEXT, MASKED | length]), MASK, ...parts]);
}
