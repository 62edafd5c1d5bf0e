/** Ids of a segment unless a file says otherwise, and the most there can be: an offset in it takes 16 bits. */
export const SEGMENT_SIZE = 65_536;
/** Blocks of 4,096 events: writing one costs little beside those events, and so does reading the events of the last one. */
const BLOCKS_PER_SEGMENT = 16;

/** The ids cut into segments of one size, and these into blocks; segment 0 holds the ids from 1 on. */
export class Segments {
  readonly size: number;
  readonly #blockSize: number;

  constructor(size: number) {
    this.size = size;
    this.#blockSize = Math.ceil(size / BLOCKS_PER_SEGMENT);
  }

  /** The segment that an id lies in. */
  of(id: number): number {
    return Math.floor((id - 1) / this.size);
  }

  offsetOf(id: number): number {
    return (id - 1) % this.size;
  }

  idAt(segment: number, offset: number): number {
    return segment * this.size + offset + 1;
  }

  firstOf(segment: number): number {
    return segment * this.size + 1;
  }

  lastOf(segment: number): number {
    return (segment + 1) * this.size;
  }
  /** The first id of the block that an id lies in. */
  blockFirst(id: number): number {
    return id - (this.offsetOf(id) % this.#blockSize);
  }

  /** The last id of the block that an id lies in. */
  blockLast(id: number): number {
    return Math.min(this.blockFirst(id) + this.#blockSize - 1, this.lastOf(this.of(id)));
  }
}
