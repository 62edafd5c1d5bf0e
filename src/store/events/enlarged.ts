/** A copy of the array with room for `length` numbers, the new ones 0. */
export function enlarged<T extends Float64Array | Uint32Array>(array: T, length: number): T {
  return copied(array, new (array.constructor as new (length: number) => T)(length));
}

/** The same for bytes. */
export function enlargedBytes(bytes: Buffer, length: number): Buffer {
  return copied(bytes, Buffer.alloc(length));
}

function copied<T extends Float64Array | Uint32Array | Buffer>(from: T, to: T): T {
  to.set(from);
  return to;
}
