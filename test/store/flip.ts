/** A copy with one bit turned over. */
export function flipped(from: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(from);
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return copy;
}
