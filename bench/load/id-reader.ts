import { type Counter, frameSize, headerSize, isText } from "./frames.ts";

/** As much of a frame as shows its size, its kind and its id: the longest header, `{"id":`, 16 digits and a comma. */
const LOOK_BYTES = 10 + 6 + 16 + 1;
/** Where an event's id begins in its JSON, and where the first letter of a control message's type stands. */
const ID_AT = '{"id":'.length;
const TYPE_AT = '{"type":"'.length;
const LETTER_I = 0x69;
const LETTER_C = 0x63;
const ZERO = 0x30;

export interface IdReaderOptions {
  /** The last id that the subscriber had: what comes must be beyond it. */
  readonly after: number;
  /** Every event is wanted, so ids rise by one. Otherwise they rise. */
  readonly isGapless: boolean;
  /** Whether the ids are kept, to be compared. */
  readonly keepsIds: boolean;
}

/**
 * Reads the id of each event on one WebSocket and sees the messages that are not events. The rest of a payload is
 * skipped unread, so that a thousand sockets can be checked at the speed at which they could be counted.
 */
export class IdReader implements Counter {
  events = 0;
  lastId: number;
  /** The end of the replay has come. */
  isLive = false;
  /** The first thing that was wrong, in words; empty while there is none. */
  fault = "";
  readonly ids: number[] = [];
  readonly #isGapless: boolean;
  readonly #keepsIds: boolean;
  /** Bytes of the frame under way that are still to come. */
  #missing = 0;
  /** The beginning of a frame that was cut before its id was there. */
  #beginning: Buffer | undefined;

  constructor({ after, isGapless, keepsIds }: IdReaderOptions) {
    this.lastId = after;
    this.#isGapless = isGapless;
    this.#keepsIds = keepsIds;
  }

  take(chunk: Buffer, start: number): void {
    let at = start + this.#missing;
    if (this.#beginning !== undefined) {
      const seam = Buffer.concat([this.#beginning, chunk.subarray(start, start + LOOK_BYTES)]);
      const size = this.#look(seam, 0);
      at = start + size - this.#beginning.length;
      this.#beginning = size === 0 ? seam : undefined;
      if (size === 0) return;
    }
    while (at < chunk.length) {
      const size = this.#look(chunk, at);
      if (size === 0) {
        this.#beginning = Buffer.from(chunk.subarray(at));
        this.#missing = 0;
        return;
      }
      at += size;
    }
    this.#missing = at - chunk.length;
  }

  /** Takes the frame at `at` and returns its size; 0 when too little of it is there. */
  #look(bytes: Buffer, at: number): number {
    const size = frameSize(bytes, at, bytes.length);
    if (size === 0 || at + Math.min(size, LOOK_BYTES) > bytes.length) return 0;
    if (isText(bytes, at)) this.#see(bytes, at + headerSize(bytes, at));
    return size;
  }

  #see(bytes: Buffer, payload: number): void {
    if (bytes[payload + 2] !== LETTER_I) {
      if (bytes[payload + TYPE_AT] === LETTER_C) this.isLive = true;
      else this.fault ||= `after ${this.lastId} came ${bytes.toString("latin1", payload, payload + LOOK_BYTES)}`;
      return;
    }
    let id = 0;
    for (let at = payload + ID_AT, digit = digitAt(bytes, at); digit >= 0 && digit < 10; digit = digitAt(bytes, ++at)) {
      id = id * 10 + digit;
    }
    if (this.#isGapless ? id !== this.lastId + 1 : id <= this.lastId) this.fault ||= `${id} came after ${this.lastId}`;
    if (this.#keepsIds) this.ids.push(id);
    this.lastId = id;
    this.events++;
  }
}

function digitAt(bytes: Buffer, at: number): number {
  return (bytes[at] ?? 0) - ZERO;
}
