import type { Socket } from "bun";
import type { Counter } from "./frames.ts";

const HEAD_END = Buffer.from("\r\n\r\n");

export type Transport = "websocket" | "stream";

/** One subscription on bare TCP: the handshake is read, everything after it goes to a counter. */
export class Subscriber {
  readonly counter: Counter;
  /** The server has closed it. */
  isClosed = false;
  readonly #socket: Socket<undefined>;
  #unsent: Buffer | undefined;

  private constructor(socket: Socket<undefined>, counter: Counter) {
    this.#socket = socket;
    this.counter = counter;
  }

  /** Resolves when the server has accepted. Rejects when it refuses. */
  static open(port: number, transport: Transport, path: string, counter: Counter): Promise<Subscriber> {
    return new Promise((resolve, reject) => {
      let head: Buffer | undefined = Buffer.alloc(0);
      let subscriber: Subscriber | undefined;
      Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          open: (socket) => void socket.write(handshake(transport, path)),
          data: (socket, chunk) => {
            if (head === undefined) {
              counter.take(chunk, 0);
              return;
            }
            head = Buffer.concat([head, chunk]);
            const end = head.indexOf(HEAD_END);
            if (end === -1) return;
            const expected = transport === "websocket" ? "101" : "200";
            if (head.toString("latin1", 9, 12) === expected) {
              subscriber = new Subscriber(socket, counter);
              resolve(subscriber);
            } else reject(new Error(`the server answered: ${head.toString().slice(0, 500)}`));
            counter.take(head, end + HEAD_END.length);
            head = undefined;
          },
          drain: () => subscriber?.send(),
          close: () => {
            if (subscriber) subscriber.isClosed = true;
            reject(new Error("the server closed a connection"));
          },
        },
      }).catch(reject);
    });
  }

  /** Sends bytes of whole frames, after those that the socket has not taken yet. */
  send(frames: Buffer = Buffer.alloc(0)): void {
    const bytes = this.#unsent ? Buffer.concat([this.#unsent, frames]) : frames;
    const sent = this.#socket.write(bytes);
    this.#unsent = sent < bytes.length ? bytes.subarray(Math.max(sent, 0)) : undefined;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.terminate();
  }
}

function handshake(transport: Transport, path: string): string {
  const fields =
    transport === "websocket"
      ? ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key()}`]
      : ["Accept: text/event-stream"];
  return `${[`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", ...fields].join("\r\n")}\r\n\r\n`;
}

function key(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
}
