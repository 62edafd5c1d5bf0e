import type { Draft } from "../../bus/ports.ts";

/** The columns of {@link KeyRow}. */
export const KEY_COLUMNS = "id, key, fingerprint, first_id, created_at, checksum";

/** The row of one `Idempotency-Key`. */
export interface KeyRow {
  readonly id: number;
  readonly key: string;
  readonly fingerprint: Uint8Array;
  readonly first_id: number;
  readonly created_at: number;
  readonly checksum: number;
}

export function isKeyIntact(row: KeyRow): boolean {
  return row.fingerprint instanceof Uint8Array && keyChecksumOf(row) === row.checksum;
}

/** CRC-32 of "id,first_id,created_at,key," and the fingerprint. */
export function keyChecksumOf({ id, first_id, created_at, key, fingerprint }: Omit<KeyRow, "checksum">): number {
  return Bun.hash.crc32(fingerprint, Bun.hash.crc32(`${id},${first_id},${created_at},${key},`));
}

/** SHA-256 of the topics, sources and data; each ends with a NUL, which none of them can contain. */
export function fingerprintOf(drafts: readonly Draft[]): Buffer {
  for (const { topic, source, data } of drafts) hasher.update(`${topic}\0${JSON.stringify(source)}\0${data}\0`);
  return hasher.digest() as Buffer;
}
/** Starts again after each digest. */
const hasher = new Bun.CryptoHasher("sha256");
