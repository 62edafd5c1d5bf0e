/** The part of an event that searches use: everything of its row except the data. */
export interface EventHead {
  readonly id: number;
  readonly seriesId: number;
  /** Milliseconds since 1970. */
  readonly createdAtMs: number;
  /** The event of the same series before it; 0 for the first. */
  readonly previous: number;
  /** An older event of the same series, by the rule of `chain.ts`; 0 if there is none, or if it was already pruned. */
  readonly skip: number;
  /** How many events of its series came before it. */
  readonly depth: number;
}

/** The columns that {@link headOf} takes, in order. */
export const HEAD_COLUMNS = "id, series_id, created_at, previous, skip, depth, head_checksum";

/** A row of {@link HEAD_COLUMNS}. */
export type HeadRow = [
  id: number,
  seriesId: number,
  createdAtMs: number,
  previous: number,
  skip: number,
  depth: number,
  headChecksum: number,
];

const numbers = new Float64Array(6);
const bytes = new Uint8Array(numbers.buffer);

/** CRC-32 of the numbers of a head. Every platform of Bun is little-endian. */
export function headChecksumOf(
  id: number,
  seriesId: number,
  createdAtMs: number,
  previous: number,
  skip: number,
  depth: number,
): number {
  numbers[0] = id;
  numbers[1] = seriesId;
  numbers[2] = createdAtMs;
  numbers[3] = previous;
  numbers[4] = skip;
  numbers[5] = depth;
  return Bun.hash.crc32(bytes);
}

/**
 * Whether the row is unchanged since it was written. Damage can turn a number into null or a text, for which the
 * checksum may be the same: null counts as 0.
 */
export function isIntact([id, seriesId, createdAtMs, previous, skip, depth, headChecksum]: HeadRow): boolean {
  return (
    headChecksumOf(id, seriesId, createdAtMs, previous, skip, depth) === headChecksum &&
    Number.isSafeInteger(createdAtMs) &&
    typeof seriesId === "number" &&
    typeof previous === "number" &&
    typeof skip === "number" &&
    typeof depth === "number"
  );
}

export function headOf([id, seriesId, createdAtMs, previous, skip, depth]: HeadRow): EventHead {
  return { id, seriesId, createdAtMs, previous, skip, depth };
}
