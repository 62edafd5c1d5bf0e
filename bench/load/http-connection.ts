import type { Socket } from "bun";

const HEAD_END = Buffer.from("\r\n\r\n");
const LENGTH_NAME = Buffer.from("\r\nContent-Length: ");
const CARRIAGE_RETURN = 0x0d;
const ZERO = 0x30;

/**
 * One kept-alive HTTP connection on bare TCP, as cheap as possible: requests are bytes prepared in advance, one is
 * under way at a time, and of the answer only the status and the length are read.
 */
export class HttpConnection {
  /** Called with each whole answer; `body` is undefined unless it was asked for. */
  onAnswer: (connection: HttpConnection, status: number, body: Buffer | undefined) => void = () => {};
  readonly #socket: Socket<undefined>;
  readonly #wantsBody: boolean;
  #unsent: Buffer | undefined;
  #received: Buffer | undefined;

  private constructor(socket: Socket<undefined>, wantsBody: boolean) {
    this.#socket = socket;
    this.#wantsBody = wantsBody;
  }

  static async open(port: number, { wantsBody = false } = {}): Promise<HttpConnection> {
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, chunk) => connection.#receive(chunk),
        drain: () => connection.#flush(),
        close: () => connection.onAnswer(connection, 0, undefined),
      },
    });
    const connection = new HttpConnection(socket, wantsBody);
    return connection;
  }

  send(request: Buffer): void {
    const sent = this.#socket.write(request);
    if (sent < request.length) this.#unsent = request.subarray(sent);
  }

  /** Sends the request and resolves with the body. Rejects when the status is not 200. */
  ask(request: Buffer): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      this.onAnswer = (_, status, body) => {
        if (status === 200) resolve(body);
        else reject(new Error(describeAnswer(status, body)));
      };
      this.send(request);
    });
  }

  close(): void {
    this.onAnswer = () => {};
    this.#socket.end();
  }

  #flush(): void {
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent) this.send(unsent);
  }

  #receive(chunk: Buffer): void {
    const received = this.#received ? Buffer.concat([this.#received, chunk]) : chunk;
    const headEnd = received.indexOf(HEAD_END);
    const bodyStart = headEnd + HEAD_END.length;
    const end = headEnd === -1 ? Number.POSITIVE_INFINITY : bodyStart + contentLength(received, headEnd);
    if (received.length < end) {
      this.#received = received;
      return;
    }
    this.#received = undefined;
    const status = Number(received.toString("latin1", 9, 12));
    this.onAnswer(this, status, this.#wantsBody || status !== 200 ? received.subarray(bodyStart, end) : undefined);
  }
}

/** What a bad answer was; 0 stands for a connection that was closed. */
export function describeAnswer(status: number, body: Buffer | undefined): string {
  return status === 0
    ? "the server closed the connection"
    : `the server answered ${status}: ${body?.toString().slice(0, 500)}`;
}

function contentLength(received: Buffer, headEnd: number): number {
  const name = received.indexOf(LENGTH_NAME);
  if (name === -1 || name > headEnd) throw new Error("an answer has no Content-Length");
  let length = 0;
  for (let at = name + LENGTH_NAME.length; received[at] !== CARRIAGE_RETURN; at++) {
    length = length * 10 + (received[at] ?? 0) - ZERO;
  }
  return length;
}
