import { BusError } from "../../bus/errors.ts";

/** Bytes of a body that is never rejected for want of room: nearly all bodies, and the server takes many of them. */
const SMALL_BYTES = 64 * 1024;
/** Bytes that larger bodies may take while they arrive: enough for a dozen of the largest by default. */
const MAX_INCOMING_BYTES = 128 * 1024 * 1024;

/**
 * The memory of bodies that are arriving, as each may be of megabytes and take half a minute.
 *
 * A body that announces its size has it reserved while there is room. Those that find none, or announce nothing, count
 * as they arrive, under a bound of their own: so clients that announce much and send little keep no others out. A body
 * that is alone always finds room, as its size has its own limit.
 */
export class IncomingBodies {
  readonly #maxBytes: number;
  #announcedBytes = 0;
  #arrivedBytes = 0;

  /** `maxBytes` bounds the announced and the counted bodies, each. */
  constructor(maxBytes = MAX_INCOMING_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Reserves room for a body of this size until it is disposed of; returns undefined if there is none. */
  reserve(bytes: number): Disposable | undefined {
    if (this.#announcedBytes > 0 && this.#announcedBytes + bytes > this.#maxBytes) return undefined;
    this.#announcedBytes += bytes;
    return {
      [Symbol.dispose]: () => {
        this.#announcedBytes -= bytes;
      },
    };
  }

  /** Counts a body as it arrives, until it is disposed of. */
  count(): Arriving {
    let counted = 0;
    return {
      grow: (total) => {
        const bytes = isSmallBody(total) ? 0 : total;
        const otherBytes = this.#arrivedBytes - counted;
        if (otherBytes > 0 && otherBytes + bytes > this.#maxBytes) throw noRoom(this.#maxBytes);
        this.#arrivedBytes = otherBytes + bytes;
        counted = bytes;
      },
      [Symbol.dispose]: () => {
        this.#arrivedBytes -= counted;
      },
    };
  }
}

/** Whether a body of this many bytes needs no room. */
export function isSmallBody(bytes: number): boolean {
  return bytes <= SMALL_BYTES;
}

interface Arriving extends Disposable {
  /** This many bytes have arrived in all. Throws `unavailable` if there is no room for them. */
  grow(total: number): void;
}

function noRoom(limit: number): BusError {
  const detail = `the bodies that are arriving have reached ${limit} bytes: try again in a moment; nothing was stored`;
  return new BusError("unavailable", detail, { members: { limit } });
}
