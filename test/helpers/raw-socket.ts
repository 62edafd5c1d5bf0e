import { connect, type Socket } from "node:net";

/** The status and the header fields of an HTTP answer. */
export interface AnswerHead {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

export interface RawAnswerHandler {
  head(head: AnswerHead): void;
  /** Bytes after the head, as they come. */
  body(bytes: Buffer): void;
  /** The connection is gone. */
  closed(): void;
}

/** A client that can stop reading. */
interface Pausable extends Disposable {
  pause(): void;
  resume(): void;
  /** Resets the connection, as a client does that crashes. */
  terminate(): void;
}

/** Passes these calls on to its connection. */
export abstract class RawClient implements Pausable {
  protected abstract readonly connection: Pausable;

  pause(): void {
    this.connection.pause();
  }

  resume(): void {
    this.connection.resume();
  }

  terminate(): void {
    this.connection.terminate();
  }

  [Symbol.dispose](): void {
    this.connection[Symbol.dispose]();
  }
}

/**
 * A TCP connection with one HTTP request on it, whose client can really stop reading: while it is paused its kernel
 * takes what fits into its buffers, then the server's kernel does, and then the server has to wait.
 */
export class RawSocket implements Pausable {
  readonly #socket: Socket;
  readonly #handler: RawAnswerHandler;
  #head: Buffer | undefined = Buffer.alloc(0);

  /** `path` with its query; `headers` are whole lines. */
  constructor(url: string, path: string, headers: readonly string[], handler: RawAnswerHandler) {
    const { hostname, port } = new URL(url);
    this.#handler = handler;
    this.#socket = connect(Number(port), hostname);
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (bytes) => {
      if (typeof bytes !== "string") this.#receive(bytes);
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => handler.closed());
    const lines = [`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", ...headers];
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  terminate(): void {
    this.#socket.resetAndDestroy();
  }

  /** Says that nothing more is sent, as a client does that leaves. */
  end(): void {
    this.#socket.end();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    if (this.#head === undefined) {
      this.#handler.body(bytes);
      return;
    }
    this.#head = Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf("\r\n\r\n");
    if (end === -1) return;
    const rest = this.#head.subarray(end + 4);
    this.#handler.head(parseHead(this.#head.toString("latin1", 0, end)));
    this.#head = undefined;
    if (rest.length > 0) this.#handler.body(rest);
  }
}

function parseHead(text: string): AnswerHead {
  const [first = "", ...lines] = text.split("\r\n");
  const pairs = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(" ")[1]), headers: new Map(pairs) };
}
