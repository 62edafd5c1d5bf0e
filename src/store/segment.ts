/** Ids of a segment unless a file says otherwise, and the most there can be: an offset in it takes 16 bits. */
export const SEGMENT_SIZE = 65_536;

/** The ids cut into segments of one size; segment 0 holds the ids from 1 on. */
export class Segments {
  readonly size: number;

  constructor(size: number) {
    this.size = size;
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
}
