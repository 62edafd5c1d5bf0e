import { Inbox } from "./inbox.ts";

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A WebSocket subscriber that hands out its frames one by one, so that a test waits for a frame and never for a time. */
export class TestSocket implements Disposable {
  readonly #socket: WebSocket;
  readonly #frames = new Inbox<string>();
  /** Resolves when the connection is gone, with what the server said of it. */
  readonly closed: Promise<Closed>;

  /**
   * Subscribes at a server's `url` (`http://…`), with a query such as `pattern=a.*&since=all`. Rejects when the server
   * refuses.
   */
  static async open(url: string, query = "", headers: Record<string, string> = {}): Promise<TestSocket> {
    const address = `${url.replace(/^http/, "ws")}/api/events/subscribe${query === "" ? "" : `?${query}`}`;
    // Bun takes headers here, browsers do not.
    const socket = new TestSocket(new WebSocket(address, { headers } as unknown as string[]));
    await socket.#opened();
    return socket;
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code, reason }) => {
        this.#frames.close(new Error(`the connection was closed: ${code} ${reason}`));
        resolve({ code, reason });
      });
    });
    socket.addEventListener("message", ({ data }) => this.#frames.push(String(data)));
  }

  /** The next frame, as text. Rejects when the connection is closed before it comes. */
  next(): Promise<string> {
    return this.#frames.next();
  }

  /** The next frame, parsed. */
  async nextJson<T = Record<string, unknown>>(): Promise<T> {
    return JSON.parse(await this.next()) as T;
  }

  /** Sends text as it is, bytes as a binary frame, anything else as JSON. */
  send(frame: string | Uint8Array | object): void {
    if (typeof frame === "string") this.#socket.send(frame);
    else this.#socket.send(frame instanceof Uint8Array ? new Uint8Array(frame) : JSON.stringify(frame));
  }

  /** Sends a frame, resolves with the next one that comes, parsed. */
  ask<T = Record<string, unknown>>(frame: string | Uint8Array | object): Promise<T> {
    this.send(frame);
    return this.nextJson<T>();
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.addEventListener("open", () => resolve());
      void this.closed.then(({ code, reason }) => reject(new Error(`not opened: ${code} ${reason}`)));
    });
  }
}
