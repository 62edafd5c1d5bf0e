import type { Item } from "../../bus/cursor.ts";
import type { Channel } from "../../bus/delivery/cohort.ts";
import { encodeItems, type StreamFormat } from "./stream-format.ts";

/** A subscriber by stream. */
export interface ChannelStream {
  /** Queues bytes to send. MUST return at once. */
  push(bytes: Uint8Array): void;
}

/** One encoding for all streams of a cohort. */
export class StreamChannel implements Channel<ChannelStream> {
  readonly #format: StreamFormat;
  readonly #streams = new Set<ChannelStream>();
  #items: Item[] = [];

  constructor(format: StreamFormat) {
    this.#format = format;
  }

  add(stream: ChannelStream): void {
    this.#streams.add(stream);
  }

  remove(stream: ChannelStream): void {
    this.#streams.delete(stream);
  }

  deliver(item: Item): void {
    this.#items.push(item);
  }

  settle(): void {
    this.flush();
  }

  flush(): void {
    if (this.#items.length === 0) return;
    const bytes = encodeItems(this.#items, this.#format);
    this.#items = [];
    for (const stream of this.#streams) stream.push(bytes);
  }
}
