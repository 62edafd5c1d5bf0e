import { Inbox } from "./inbox.ts";
import { type AnswerHead, RawClient, RawSocket } from "./raw-socket.ts";

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;
export const HANDSHAKE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** What a WebSocket receives, in order. */
export interface RawWebSocketHandler {
  opened?(head: AnswerHead): void;
  text(text: string): void;
  /** A close frame came; 1005 when it had no code. */
  closing?(code: number, reason: string): void;
  closed?(): void;
}

/** A WebSocket by hand (RFC 6455), so that it can stop reading. */
export class RawWebSocket extends RawClient {
  protected readonly connection: RawSocket;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(url: string, query: string, handler: RawWebSocketHandler) {
    super();
    this.connection = new RawSocket(url, `/api/events/subscribe?${query}`, HANDSHAKE, {
      head: (head) => handler.opened?.(head),
      body: (bytes) => this.#receive(bytes, handler),
      closed: () => handler.closed?.(),
    });
  }

  send(frame: string | object): void {
    const text = typeof frame === "string" ? frame : JSON.stringify(frame);
    this.connection.write(textFrame(text));
  }

  /** Sends this many pings. */
  ping(payload: string, count: number): void {
    const frame = frameOf(OPCODE.ping, Buffer.from(payload));
    this.connection.write(Buffer.concat(Array.from({ length: count }, () => frame)));
  }

  #receive(bytes: Buffer, handler: RawWebSocketHandler): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    for (let frame = takeFrame(this.#bytes); frame !== undefined; frame = takeFrame(this.#bytes)) {
      this.#bytes = this.#bytes.subarray(frame.size);
      this.#handle(frame.opcode, frame.payload, handler);
    }
  }

  #handle(opcode: number, payload: Buffer, handler: RawWebSocketHandler): void {
    if (opcode === OPCODE.text) handler.text(payload.toString());
    else if (opcode === OPCODE.ping) this.connection.write(frameOf(OPCODE.pong, payload));
    else if (opcode === OPCODE.close) {
      handler.closing?.(payload.length < 2 ? 1005 : payload.readUInt16BE(0), payload.toString("utf8", 2));
      this.connection.end();
    }
  }
}

/** A server's frame, whole; undefined while some of it is missing. Servers do not mask, and ours does not fragment. */
function takeFrame(bytes: Buffer): { opcode: number; payload: Buffer; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1);
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < start) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < start + length) return undefined;
  return {
    opcode: bytes.readUInt8(0) & 0x0f,
    payload: bytes.subarray(start, start + length),
    size: start + length,
  };
}

/** A frame with text, as a client sends it. */
export function textFrame(text: string): Buffer {
  return frameOf(OPCODE.text, Buffer.from(text));
}

/** A client's frame, masked with zeros, which leave the payload as it is. */
function frameOf(opcode: number, payload: Uint8Array): Buffer {
  const length = payload.length;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head.writeUInt8(0x80 | opcode, 0);
  head.writeUInt8(0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127), 1);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

/** The same with `next()`, for tests. */
export class RawSubscriber extends RawClient {
  readonly #inbox = new Inbox<string>();
  protected readonly connection: RawWebSocket;
  readonly #opened = Promise.withResolvers<void>();
  /** Resolves with the code of the close frame, or 1006 when there was none, once the connection is gone. */
  readonly closed: Promise<number>;

  static async open(url: string, query = ""): Promise<RawSubscriber> {
    const subscriber = new RawSubscriber(url, query);
    await subscriber.#opened.promise;
    return subscriber;
  }

  private constructor(url: string, query: string) {
    super();
    const { promise, resolve } = Promise.withResolvers<number>();
    let closeCode = 1006;
    this.closed = promise;
    this.connection = new RawWebSocket(url, query, {
      opened: ({ status }) => {
        if (status === 101) this.#opened.resolve();
        else this.#opened.reject(new Error(`refused with ${status}`));
      },
      text: (text) => this.#inbox.push(text),
      closing: (code) => {
        closeCode = code;
      },
      closed: () => {
        this.#inbox.close(new Error(`closed with ${closeCode}`));
        this.#opened.reject(new Error("closed before it was open"));
        resolve(closeCode);
      },
    });
  }

  /** The next frame, as text. */
  next(): Promise<string> {
    return this.#inbox.next();
  }

  async nextJson(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.next());
  }

  send(frame: string | object): void {
    this.connection.send(frame);
  }

  ping(payload: string, count: number): void {
    this.connection.ping(payload, count);
  }
}
