import type { Item } from "../../bus/cursor.ts";
import { Event } from "../../bus/event.ts";
import { NDJSON_TYPE } from "../response/answer.ts";

/** The format of a stream: server-sent events (WHATWG HTML, section 9.2) or JSON lines. */
export interface StreamFormat {
  readonly contentType: string;
  event(event: Event): string;
  control(item: Exclude<Item, Event>): string;
  /** Sent at the start and while idle; `id` is the newest event that the stream has passed, if known. */
  keepAlive(id: number | undefined): string;
  /** Sent last when the server stops. */
  readonly end: string;
}

/** Milliseconds after which an `EventSource` connects again when the server stops. */
const RETRY_MS = 1000;

export const serverSentEvents: StreamFormat = {
  contentType: "text/event-stream; charset=utf-8",
  event: (event) => `id: ${event.id}\ndata: ${event.json}\n\n`,
  control: (item) => `event: ${item.type}\ndata: ${JSON.stringify(item)}\n\n`,
  // The id is sent with the comment, so that a browser resumes in the right place even if no event was sent yet.
  keepAlive: (id) => `: keep-alive\n${id === undefined ? "" : `id: ${id}\n`}\n`,
  end: `event: bye\nretry: ${RETRY_MS}\ndata: {"type":"bye"}\n\n`,
};

export const jsonLines: StreamFormat = {
  contentType: NDJSON_TYPE,
  event: (event) => `${event.json}\n`,
  control: (item) => `${JSON.stringify(item)}\n`,
  keepAlive: () => "\n",
  end: "",
};

/** Encodes some items. */
export function encodeItems(items: readonly Item[], format: StreamFormat): Uint8Array {
  return encoder.encode(
    items.map((item) => (item instanceof Event ? format.event(item) : format.control(item))).join(""),
  );
}

const encoder = new TextEncoder();
