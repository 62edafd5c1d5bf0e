const TEXT = 1;
const OPCODE = 0x0f;
const LENGTH = 0x7f;
const TWO_BYTES = 126;
const EIGHT_BYTES = 127;

/** Counts what arrives on one connection, whatever the chunks it comes in. */
export interface Counter {
  events: number;
  /** Takes the bytes of `chunk` from `start` on. */
  take(chunk: Buffer, start: number): void;
}

/** Counts WebSocket text frames from their headers; the payloads are skipped unread. */
export class FrameCounter implements Counter {
  events = 0;
  /** Bytes of the frame under way that are still to come. */
  #missing = 0;
  /** A header that was cut in two. */
  #header: Buffer | undefined;

  take(chunk: Buffer, start: number): void {
    let bytes = chunk;
    let at = start + this.#missing;
    if (this.#header) {
      bytes = Buffer.concat([this.#header, chunk.subarray(start)]);
      at = 0;
      this.#header = undefined;
    }
    const end = bytes.length;
    while (at < end) {
      const size = frameSize(bytes, at, end);
      if (size === 0) {
        this.#header = bytes.subarray(at);
        this.#missing = 0;
        return;
      }
      if (isText(bytes, at)) this.events++;
      at += size;
    }
    this.#missing = at - end;
  }
}

/** Hands out the payload of each text frame: costlier than counting, for the few connections that are read. */
export class FrameReader implements Counter {
  events = 0;
  #rest: Buffer = Buffer.alloc(0);
  readonly #onText: (text: string) => void;

  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  take(chunk: Buffer, start: number): void {
    const fresh = chunk.subarray(start);
    const bytes = this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
    let at = 0;
    while (at < bytes.length) {
      const size = frameSize(bytes, at, bytes.length);
      if (size === 0 || at + size > bytes.length) break;
      if (isText(bytes, at)) {
        this.events++;
        this.#onText(bytes.toString("utf8", at + headerSize(bytes, at), at + size));
      }
      at += size;
    }
    this.#rest = bytes.subarray(at);
  }
}

/** Counts server-sent events by how the data of an event begins; control messages begin in another way. */
export class StreamCounter implements Counter {
  static readonly #mark = Buffer.from('data: {"id":');
  events = 0;
  #tail: Buffer = Buffer.alloc(0);

  take(chunk: Buffer, start: number): void {
    const mark = StreamCounter.#mark;
    const overlap = mark.length - 1;
    const fresh = chunk.subarray(start);
    const seam = Buffer.concat([this.#tail, fresh.subarray(0, overlap)]);
    for (const bytes of [seam, fresh]) {
      for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + mark.length)) this.events++;
    }
    this.#tail = Buffer.from(fresh.length < overlap ? seam.subarray(-overlap) : fresh.subarray(-overlap));
  }
}

export function isText(bytes: Buffer, at: number): boolean {
  return ((bytes[at] ?? 0) & OPCODE) === TEXT;
}

/** Header and payload of the unmasked frame at `at`, in bytes; 0 when the header is not all there. */
export function frameSize(bytes: Buffer, at: number, end: number): number {
  const length = (bytes[at + 1] ?? 0) & LENGTH;
  const header = headerSize(bytes, at);
  if (at + header > end) return 0;
  if (length < TWO_BYTES) return header + length;
  if (length === TWO_BYTES) return header + (((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0));
  return header + Number(bytes.readBigUInt64BE(at + 2));
}

export function headerSize(bytes: Buffer, at: number): number {
  const length = (bytes[at + 1] ?? 0) & LENGTH;
  return length === TWO_BYTES ? 4 : length === EIGHT_BYTES ? 10 : 2;
}
