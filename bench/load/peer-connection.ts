import type { Socket } from "bun";
import type { Connection } from "./flood.ts";

export type PeerProtocol = "redis" | "nats";

const GOOD = 200;
const BAD = 500;
const STREAM = { name: "EVENTS", subjects: ["events"], storage: "file" };

/** One connection to another product on bare TCP, with one message under way. */
export class PeerConnection implements Connection {
  onAnswer: (connection: never, status: number, body: Buffer | undefined) => void = () => {};
  readonly #socket: Socket<undefined>;
  readonly #protocol: PeerProtocol;
  /** What NATS sends its acknowledgements to. */
  readonly #inbox = `_INBOX.${crypto.randomUUID()}`;
  #received = "";

  private constructor(socket: Socket<undefined>, protocol: PeerProtocol) {
    this.#socket = socket;
    this.#protocol = protocol;
  }

  /** Resolves when a message can be sent; makes the NATS stream if there is none. */
  static async open(port: number, protocol: PeerProtocol): Promise<PeerConnection> {
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: { data: (_, chunk) => connection.#receive(chunk.toString("latin1")) },
    });
    const connection = new PeerConnection(socket, protocol);
    if (protocol === "nats") await connection.#makeStream();
    return connection;
  }

  send(request: Buffer): void {
    const head = this.#protocol === "nats" ? `PUB events ${this.#inbox} ` : "";
    this.#socket.write(Buffer.concat([Buffer.from(head), request]));
  }

  close(): void {
    this.#socket.end();
  }

  #makeStream(): Promise<void> {
    const stream = JSON.stringify(STREAM);
    const hello = `CONNECT {"verbose":false}\r\nSUB ${this.#inbox} 1\r\n`;
    this.#socket.write(`${hello}PUB $JS.API.STREAM.CREATE.EVENTS ${this.#inbox} ${stream.length}\r\n${stream}\r\n`);
    return new Promise((resolve) => {
      this.onAnswer = () => resolve();
    });
  }

  #receive(text: string): void {
    this.#received += text;
    if (this.#received.includes("PING\r\n")) this.#socket.write("PONG\r\n");
    const isWhole = this.#protocol === "redis" ? isRedisAnswer(this.#received) : isNatsAck(this.#received);
    if (!isWhole) return;
    const isBad = this.#received.startsWith("-") || this.#received.includes('"error"');
    const body = isBad ? Buffer.from(this.#received) : undefined;
    this.#received = "";
    this.onAnswer(undefined as never, isBad ? BAD : GOOD, body);
  }
}

/** Messages to send in turn; those for NATS without what is the connection's own. */
export function peerRequests(protocol: PeerProtocol, dataBytes: number): Buffer[] {
  const data = JSON.stringify({ value: 1234.56, unit: "kelvin", text: "x".repeat(Math.max(0, dataBytes - 45)) });
  if (protocol === "nats") return [Buffer.from(`${data.length}\r\n${data}\r\n`)];
  const words = ["XADD", "events", "*", "data", data].map((word) => `$${word.length}\r\n${word}\r\n`);
  return [Buffer.from(`*${words.length}\r\n${words.join("")}`)];
}

/** An error line, or a bulk string: its length, then itself. */
function isRedisAnswer(text: string): boolean {
  return /^(-.*\r\n|\$\d+\r\n.*\r\n)$/.test(text);
}

/** Whatever the server says of itself, then a message with its payload. */
function isNatsAck(text: string): boolean {
  const [head, length] = /MSG \S+ \d+ +(\d+)\r\n/.exec(text) ?? [];
  return head !== undefined && text.length >= text.indexOf(head) + head.length + Number(length) + 2;
}
