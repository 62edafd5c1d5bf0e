/** Ids of a segment: 65,536, so that an offset in it takes 16 bits. */
export const SEGMENT_SIZE = 65_536;

/** The segment that an id lies in. Segment 0 holds the ids 1 to 65,536. */
export function segmentOf(id: number): number {
  return Math.floor((id - 1) / SEGMENT_SIZE);
}

export function offsetIn(segment: number, id: number): number {
  return id - 1 - segment * SEGMENT_SIZE;
}

export function idAt(segment: number, offset: number): number {
  return segment * SEGMENT_SIZE + offset + 1;
}

/** The last id of a segment. */
export function endOf(segment: number): number {
  return (segment + 1) * SEGMENT_SIZE;
}
