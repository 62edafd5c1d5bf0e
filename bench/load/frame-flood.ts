import { FrameReader } from "./frames.ts";
import { type Body, envelopes } from "./requests.ts";
import { Subscriber } from "./subscriber.ts";

const FIN_TEXT = 0x81;
const MASKED = 0x80;
/** A mask that changes nothing: allowed, and the cheapest. */
const MASK = Buffer.alloc(4);
const TWO_BYTES = 126;

/** Keeps a number of publish frames under way on one WebSocket: as many follow as were acknowledged. */
export class FrameFlood {
  answers = 0;
  #next = 0;
  #acknowledged = 0;
  #isStopping = false;
  #subscriber: Subscriber | undefined;
  readonly #frames: readonly Buffer[];
  readonly #inFlight: number;
  readonly #failed = Promise.withResolvers<never>();
  readonly #ended = Promise.withResolvers<void>();

  constructor(frames: readonly Buffer[], inFlight: number) {
    this.#frames = frames;
    this.#inFlight = inFlight;
  }

  async start(port: number, path: string): Promise<void> {
    const reader = new FrameReader((text) => this.#see(text));
    const counter = {
      events: 0,
      take: (chunk: Buffer, start: number) => {
        reader.take(chunk, start);
        this.#goOn();
      },
    };
    this.#subscriber = await Subscriber.open(port, "websocket", path, counter);
    this.#send(this.#inFlight);
  }

  /** Rejects at once when a publish fails. */
  during(seconds: number): Promise<void> {
    return Promise.race([Bun.sleep(seconds * 1000), this.#failed.promise]);
  }

  /** Resolves when what is under way is acknowledged. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.race([this.#ended.promise, this.#failed.promise]);
    this.#subscriber?.close();
  }

  #see(text: string): void {
    if (text.startsWith('{"type":"ack"')) this.#acknowledged++;
    else this.#failed.reject(new Error(`the server answered: ${text.slice(0, 500)}`));
  }

  /** All that one chunk acknowledged is followed by one write. */
  #goOn(): void {
    const count = this.#acknowledged;
    this.#acknowledged = 0;
    this.answers += count;
    if (!this.#isStopping) this.#send(count);
    else if (this.answers === this.#next) this.#ended.resolve();
  }

  #send(count: number): void {
    if (count === 0) return;
    const frames = Array.from({ length: count }, () => this.#frames[this.#next++ % this.#frames.length] ?? MASK);
    this.#subscriber?.send(Buffer.concat(frames));
  }
}

/** Frames that publish, to send in turn. */
export function publishFrames(body: Body, count: number): Buffer[] {
  return envelopes(body, count).map((envelope, index) => {
    const payload = Buffer.from(`{"type":"publish","ref":${index},${envelope.slice(1)}`);
    const head = Buffer.from([FIN_TEXT, MASKED | TWO_BYTES, payload.length >> 8, payload.length & 0xff]);
    return Buffer.concat([head, MASK, payload]);
  });
}
