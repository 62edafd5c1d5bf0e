import { Inbox } from "./inbox.ts";
import { type AnswerHead, RawClient, RawSocket } from "./raw-socket.ts";

/** One part of a stream: a block of server-sent events, or a line. */
export interface StreamPart {
  /** The whole text of it, without the line break at its end. */
  readonly text: string;
  /** Of server-sent events: the fields of the block. */
  readonly fields: Readonly<Partial<Record<"id" | "event" | "data" | "retry", string>>>;
}

export interface RawStreamOptions {
  readonly query?: string;
  /** JSON lines in place of server-sent events. */
  readonly isLines?: boolean;
  /** Whole header lines. */
  readonly headers?: readonly string[];
}

export interface RawStreamHandler {
  opened?(head: AnswerHead): void;
  part(part: StreamPart): void;
  /** `isWhole`: the answer has come to its end, it was not cut off. */
  closed?(isWhole: boolean): void;
}

/** A client of `/api/events/stream` by hand, so that it can stop reading. */
export class RawStream extends RawClient {
  protected readonly connection: RawSocket;
  #bytes: Buffer = Buffer.alloc(0);
  #text = "";
  #isChunked = false;
  #isWhole = false;

  constructor(url: string, { query = "", isLines = false, headers = [] }: RawStreamOptions, handler: RawStreamHandler) {
    super();
    const accept = `Accept: ${isLines ? "application/x-ndjson" : "text/event-stream"}`;
    const decoder = new TextDecoder();
    this.connection = new RawSocket(url, `/api/events/stream?${query}`, [accept, ...headers], {
      head: (head) => {
        this.#isChunked = head.headers.get("transfer-encoding") === "chunked";
        handler.opened?.(head);
      },
      body: (bytes) => {
        for (const chunk of this.#chunksOf(bytes)) {
          this.#addText(decoder.decode(chunk, { stream: true }), isLines, handler);
        }
        if (this.#isWhole) this.connection.end();
      },
      closed: () => handler.closed?.(this.#isWhole),
    });
  }

  /** Takes the chunked transfer coding off (RFC 9112, section 7.1). */
  *#chunksOf(bytes: Buffer): Generator<Buffer> {
    if (!this.#isChunked) return;
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    for (;;) {
      const lineEnd = this.#bytes.indexOf("\r\n");
      if (lineEnd === -1) return;
      const size = Number.parseInt(this.#bytes.toString("latin1", 0, lineEnd), 16);
      const end = lineEnd + 2 + size;
      if (this.#bytes.length < end + 2) return;
      if (size === 0) this.#isWhole = true;
      const chunk = this.#bytes.subarray(lineEnd + 2, end);
      this.#bytes = this.#bytes.subarray(end + 2);
      yield chunk;
    }
  }

  #addText(text: string, isLines: boolean, handler: RawStreamHandler): void {
    const parts = (this.#text + text).split(isLines ? "\n" : "\n\n");
    this.#text = parts.pop() ?? "";
    for (const part of parts) handler.part({ text: part, fields: isLines ? {} : fieldsOf(part) });
  }
}

function fieldsOf(block: string): StreamPart["fields"] {
  const pairs = block.split("\n").filter((line) => !line.startsWith(":"));
  return Object.fromEntries(pairs.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
}

/** The same with `next()`, for tests. */
export class StreamSubscriber extends RawClient {
  readonly #inbox = new Inbox<StreamPart>();
  protected readonly connection: RawStream;
  readonly #opened = Promise.withResolvers<AnswerHead>();
  head: AnswerHead = { status: 0, headers: new Map() };
  /** Resolves when the connection is gone, with whether the answer was whole. */
  readonly closed: Promise<boolean>;

  /** Resolves when the head of the answer is there, whatever it is. */
  static async open(url: string, options: RawStreamOptions = {}): Promise<StreamSubscriber> {
    const subscriber = new StreamSubscriber(url, options);
    subscriber.head = await subscriber.#opened.promise;
    return subscriber;
  }

  private constructor(url: string, options: RawStreamOptions) {
    super();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.closed = promise;
    this.connection = new RawStream(url, options, {
      opened: (head) => this.#opened.resolve(head),
      part: (part) => this.#inbox.push(part),
      closed: (isWhole) => {
        this.#inbox.close(new Error("the stream has ended"));
        resolve(isWhole);
      },
    });
  }

  /** The next part, keep-alives too. */
  nextPart(): Promise<StreamPart> {
    return this.#inbox.next();
  }

  /** The next part that is not a keep-alive. */
  async next(): Promise<StreamPart> {
    for (;;) {
      const part = await this.nextPart();
      if (part.text !== "" && !part.text.startsWith(":")) return part;
    }
  }

  /** The JSON of the next part that is not a keep-alive. */
  async nextJson(): Promise<Record<string, unknown>> {
    const { text, fields } = await this.next();
    return JSON.parse(fields.data ?? text);
  }
}
