/** Default of `maxBytes`: hundreds of readers can reach their own bounds, or four thousand can have 64 KiB each. */
export const DEFAULT_MAX_WAITING_BYTES = 256 * 1024 * 1024;
/**
 * One reader may use one part in this many of what is still free. So a few readers can reach their own bounds, many
 * share what there is, and some is always left for the next one. With n readers at their limit, n / (n + 128) of the
 * bound is used.
 */
const PART_OF_FREE = 128;

/**
 * All output waiting in the server for readers, under one bound: events in sockets and streams, and responses.
 *
 * Memory is not reserved. Readers report their waiting output, and stop making more at `limitBytes`. The limit of each
 * falls as the sum grows, so those with the most waiting stop first.
 */
export class Waiting {
  readonly maxBytes: number;
  #bytes = 0;

  constructor(maxBytes = DEFAULT_MAX_WAITING_BYTES) {
    this.maxBytes = maxBytes;
  }

  /** Bytes waiting now, for all readers. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How much may be waiting for one reader now. A reader also has a bound of its own; the smaller one applies. */
  get limitBytes(): number {
    return Math.max(0, Math.floor((this.maxBytes - this.#bytes) / PART_OF_FREE));
  }

  /** Adds waiting bytes. */
  reserve(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Removes waiting bytes: they were read, or their reader is gone. */
  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** The waiting output of one reader. MUST be set to 0 when the reader is gone. */
export class WaitingAccount {
  readonly #waiting: Waiting;
  #bytes = 0;

  constructor(waiting: Waiting) {
    this.#waiting = waiting;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Corrects the sum by what has changed since the last call. */
  set(bytes: number): void {
    this.#waiting.reserve(bytes - this.#bytes);
    this.#bytes = bytes;
  }
}
