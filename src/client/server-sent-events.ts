/** One block of a stream of server-sent events. Fields that it lacks are undefined. */
export interface ServerSentEvent {
  readonly id: string | undefined;
  /** The name given by `event:`; `message` when there is none. */
  readonly name: string;
  readonly data: string | undefined;
  /** Milliseconds. */
  readonly retryMs: number | undefined;
}

/**
 * The most characters of a block that is not complete: no event comes near, as the server accepts none over 64 MiB.
 * It keeps a peer that sends no line break from filling the memory.
 */
const MAX_BLOCK_CHARACTERS = 2 ** 27;

/**
 * Reads `text/event-stream` (WHATWG HTML, section 9.2.6), given in pieces cut anywhere.
 *
 * Unlike an `EventSource`, it also returns blocks without data, because their id is a position to resume from. A block
 * is returned only once its blank line has arrived.
 */
export class ServerSentEventParser {
  #line: string[] = [];
  #characters = 0;
  #endsInReturn = false;
  #fields = new Map<string, string>();
  #data: string[] = [];

  /** The blocks that this piece completes. Throws a `RangeError` when a block has no end. */
  push(text: string): ServerSentEvent[] {
    const blocks: ServerSentEvent[] = [];
    // A line ends with \n, \r\n or \r; two pieces may split a \r\n.
    let start = this.#endsInReturn && text.startsWith("\n") ? 1 : 0;
    if (text !== "") this.#endsInReturn = text.endsWith("\r");
    LINE_END.lastIndex = start;
    for (let end = LINE_END.exec(text); end !== null; end = LINE_END.exec(text)) {
      this.#line.push(text.slice(start, end.index));
      this.#characters += LINE_END.lastIndex - start;
      start = LINE_END.lastIndex;
      const block = this.#endLine(this.#line.splice(0).join(""));
      if (block) blocks.push(block);
    }
    this.#characters += text.length - start;
    if (this.#characters > MAX_BLOCK_CHARACTERS) throw new RangeError("an event has no end");
    if (start < text.length) this.#line.push(text.slice(start));
    return blocks;
  }

  #endLine(line: string): ServerSentEvent | undefined {
    if (line === "") return this.#endBlock();
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data.push(value);
    else if (name !== "") this.#fields.set(name, value);
    return undefined;
  }

  #endBlock(): ServerSentEvent | undefined {
    const [fields, data] = [this.#fields, this.#data];
    this.#fields = new Map();
    this.#data = [];
    this.#characters = 0;
    const retry = fields.get("retry") ?? "";
    if (fields.size === 0 && data.length === 0) return undefined;
    return {
      id: fields.get("id"),
      name: fields.get("event") || "message",
      data: data.length === 0 ? undefined : data.join("\n"),
      retryMs: /^\d{1,9}$/.test(retry) ? Number(retry) : undefined,
    };
  }
}

const LINE_END = /\r\n|\n|\r/g;
