import type { Socket, TCPSocketListener } from "bun";

interface Pair {
  readonly client: Socket<Pair>;
  server: Socket<undefined> | undefined;
  /** What waits for the server's connection to be open. */
  fromClient: Uint8Array[];
  /** What waits for the client to take it. */
  toClient: Uint8Array[];
}

/**
 * Stands between a client and a server, and does to their connections what networks do. Passes everything on until a
 * method changes that.
 */
export class TcpProxy implements Disposable {
  readonly #listener: TCPSocketListener<Pair>;
  readonly #target: { hostname: string; port: number };
  readonly #pairs = new Set<Pair>();
  #connections = 0;
  #bytesLeft = Number.POSITIVE_INFINITY;
  #cutAt: string | undefined;
  #isStalled = false;
  #isRefusing = false;

  /** Listens at once, on a free port. */
  constructor(targetUrl: string) {
    const { hostname, port } = new URL(targetUrl);
    this.#target = { hostname, port: Number(port) };
    this.#listener = Bun.listen<Pair>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (client) => this.#open(client),
        data: (client, bytes) => this.#send(client.data, bytes),
        drain: (client) => flush(client, client.data.toClient),
        close: (client) => this.#close(client.data),
        error: (client) => this.#close(client.data),
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.port}`;
  }

  /** Number of connections so far, including refused ones. */
  get connections(): number {
    return this.#connections;
  }

  /** Resets every connection. */
  cut(): void {
    for (const pair of [...this.#pairs]) this.#reset(pair);
  }

  /** Passes on this many more bytes of what the server sends, on any connection, then resets every connection; once. */
  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  /** Resets every connection in the middle of the first text of the server that has this in it; once. */
  cutInside(text: string): void {
    this.#cutAt = text;
  }

  /** Keeps back everything that the server sends, as a network does that silently drops packets. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Passes on what was kept back, and what comes. */
  resume(): void {
    this.#isStalled = false;
    for (const pair of this.#pairs) flush(pair.client, pair.toClient);
  }

  /** Resets every connection there is, and each new one as soon as it is made. */
  refuse(): void {
    this.#isRefusing = true;
    this.cut();
  }

  /** Takes connections again. */
  accept(): void {
    this.#isRefusing = false;
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
    this.cut();
  }

  #open(client: Socket<Pair>): void {
    this.#connections++;
    const pair: Pair = { client, server: undefined, fromClient: [], toClient: [] };
    client.data = pair;
    if (this.#isRefusing) return void client.terminate();
    this.#pairs.add(pair);
    Bun.connect<undefined>({
      ...this.#target,
      socket: {
        open: (server) => {
          pair.server = server;
          if (this.#pairs.has(pair)) flush(server, pair.fromClient);
          else server.terminate();
        },
        data: (_, bytes) => this.#receive(pair, bytes),
        drain: (server) => flush(server, pair.fromClient),
        close: () => this.#close(pair),
        error: () => this.#reset(pair),
      },
    }).catch(() => this.#reset(pair));
  }

  #send(pair: Pair, bytes: Uint8Array): void {
    pair.fromClient.push(bytes.slice());
    if (pair.server) flush(pair.server, pair.fromClient);
  }

  #receive(pair: Pair, bytes: Uint8Array): void {
    const length = Math.min(this.#cutLength(bytes), this.#bytesLeft);
    this.#bytesLeft -= length;
    pair.toClient.push(bytes.slice(0, length));
    if (!this.#isStalled) flush(pair.client, pair.toClient);
    if (length === bytes.length) return;
    this.#bytesLeft = Number.POSITIVE_INFINITY;
    this.#cutAt = undefined;
    this.cut();
  }

  /** Bytes before the middle of the text at which to cut; all of them when it is not there. */
  #cutLength(bytes: Uint8Array): number {
    if (this.#cutAt === undefined) return bytes.length;
    const start = Buffer.from(bytes).indexOf(this.#cutAt);
    return start === -1 ? bytes.length : start + Math.ceil(this.#cutAt.length / 2);
  }

  #reset(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.terminate();
    pair.server?.terminate();
  }

  #close(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.server?.end();
    if (pair.toClient.length === 0) pair.client.end();
    else pair.client.terminate();
  }
}

function flush(socket: { write(bytes: Uint8Array): number }, waiting: Uint8Array[]): void {
  for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
    const written = Math.max(socket.write(first), 0);
    if (written < first.length) {
      waiting[0] = first.subarray(written);
      return;
    }
    waiting.shift();
  }
}
