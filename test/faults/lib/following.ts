import { RawSubscriber } from "../../helpers/raw-web-socket.ts";

export type Transport = "websocket" | "events" | "lines";

interface Message {
  readonly id?: number;
  readonly data?: unknown;
  readonly type?: string;
  readonly after?: number;
  readonly next?: number;
}

const ACCEPTED = { events: "text/event-stream", lines: "application/x-ndjson" } as const;

/** A subscriber that resumes at its position at each server, and notes what is not as promised. */
export class Following {
  readonly transport: Transport;
  /** The data of each event that was received since the last `forget`, by id. */
  readonly received = new Map<number, unknown>();
  #forgotten = 0;
  readonly faults: string[] = [];
  position = 0;
  gaps = 0;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  /** Events that were received. */
  get delivered(): number {
    return this.#forgotten + this.received.size;
  }

  /** Forgets what was received, so that a long run does not fill its memory. */
  forget(): void {
    this.#forgotten += this.received.size;
    this.received.clear();
  }

  /** Reads until the server is gone, or until the position is `end`. */
  async readFrom(url: string, end = Number.POSITIVE_INFINITY): Promise<void> {
    try {
      for await (const message of this.#messages(url)) {
        this.#take(message);
        if (this.position >= end) return;
      }
    } catch {
      // The server is gone.
    }
  }

  async readUpTo(end: number, url: string): Promise<void> {
    if (this.position < end) await this.readFrom(url, end);
  }

  #take({ id, data, type, after, next }: Message): void {
    if (type === "gap") {
      this.gaps++;
      if (after !== this.position || next === undefined || next <= after) this.#fault(`a gap ${after} to ${next}`);
      this.position = (next ?? 1) - 1;
    } else if (type === undefined && id !== undefined) {
      if (id !== this.position + 1) this.#fault(`event ${id}`);
      this.received.set(id, data);
      this.position = id;
    }
  }

  #fault(what: string): void {
    this.faults.push(`${what} after ${this.position}`);
  }

  #messages(url: string): AsyncGenerator<Message> {
    return this.transport === "websocket" ? this.#frames(url) : this.#lines(url, ACCEPTED[this.transport]);
  }

  async *#frames(url: string): AsyncGenerator<Message> {
    using subscriber = await RawSubscriber.open(url, `since=${this.position}`);
    for (;;) yield JSON.parse(await subscriber.next());
  }

  async *#lines(url: string, accept: string): AsyncGenerator<Message> {
    const address = `${url}/api/events/stream?since=${this.position}`;
    const response = await fetch(address, { headers: { accept } });
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body ?? []) {
      const lines = (text + decoder.decode(chunk, { stream: true })).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const json = line.replace(/^data: /, "");
        if (json.startsWith("{")) yield JSON.parse(json);
      }
    }
  }
}
