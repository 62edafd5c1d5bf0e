/** The load at which the table grows: with linear probing, a search up to then takes two or three steps. */
const MAX_LOAD = 0.6;
const FIRST_CAPACITY = 1024;
/** What nearly every search finds, as nearly every key is new. */
const NONE: readonly number[] = [];

/**
 * Finds rows by the hash of a text. Row numbers are consecutive, and the oldest rows are dropped first.
 *
 * Takes 15 to 45 bytes a row. Two texts can have the same hash, so the caller compares the rows.
 */
export class KeyIndex {
  /** Numbers of rows by hash, in a table with open addressing; 0 is a free place. */
  #slots = new Float64Array(FIRST_CAPACITY);
  /** The hash of a row, at its number modulo the length. */
  #hashes = new Uint32Array(FIRST_CAPACITY);
  /** The length of the text of a row, at most 255 bytes, at the same place. */
  #lengths = new Uint8Array(FIRST_CAPACITY);
  #first = 1;
  #next = 1;
  #bytes = 0;
  /** Places that are not free; some are left from dropped rows. */
  #taken = 0;

  /** The oldest row that is held; if there is none, the next one. */
  get first(): number {
    return this.#first;
  }

  /** The number of the next row. */
  get next(): number {
    return this.#next;
  }

  get size(): number {
    return this.#next - this.#first;
  }

  /** Bytes of the texts of all rows. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Starts with this number, with no rows. */
  startAt(row: number): void {
    this.#first = row;
    this.#next = row;
  }

  /** Adds the next row: the hash of its text, and the length of the text in bytes. */
  add(hash: number, bytes: number): void {
    if (this.size + 1 > MAX_LOAD * this.#hashes.length || this.#taken + 1 > MAX_LOAD * this.#slots.length)
      this.#rebuild();
    this.#hashes[this.#next % this.#hashes.length] = hash;
    this.#lengths[this.#next % this.#lengths.length] = bytes;
    this.#bytes += bytes;
    this.#place(this.#next, hash);
    this.#next++;
  }

  /** Drops the rows below this number. */
  dropBelow(row: number): void {
    const first = Math.min(Math.max(row, this.#first), this.#next);
    for (; this.#first < first; this.#first++) this.#bytes -= this.#lengths[this.#first % this.#lengths.length] ?? 0;
  }

  /** Drops the rows from this number on. */
  dropFrom(row: number): void {
    const next = Math.max(Math.min(row, this.#next), this.#first);
    while (this.#next > next) this.#bytes -= this.#lengths[--this.#next % this.#lengths.length] ?? 0;
  }

  /** The rows with this hash, newest first. */
  find(hash: number): readonly number[] {
    let found: number[] | undefined;
    const mask = this.#slots.length - 1;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const row = this.#slots[place] ?? 0;
      if (row === 0) return found === undefined ? NONE : newestFirst(found);
      if (!this.#holds(row) || this.#hashes[row % this.#hashes.length] !== hash) continue;
      found ??= [];
      found.push(row);
    }
  }

  #holds(row: number): boolean {
    return row >= this.#first && row < this.#next;
  }

  #place(row: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let place = hash & mask;
    while (this.#holds(this.#slots[place] ?? 0)) place = (place + 1) & mask;
    if (this.#slots[place] === 0) this.#taken++;
    this.#slots[place] = row;
  }

  /** Resizes the table to what is needed, without dropped rows. */
  #rebuild(): void {
    const hashes = this.#hashes;
    const lengths = this.#lengths;
    let capacity = FIRST_CAPACITY;
    while (this.size + 1 > (MAX_LOAD / 2) * capacity) capacity *= 2;
    this.#hashes = new Uint32Array(capacity);
    this.#lengths = new Uint8Array(capacity);
    this.#slots = new Float64Array(capacity);
    this.#taken = 0;
    const next = this.#next;
    for (this.#next = this.#first; this.#next < next; this.#next++) {
      const hash = hashes[this.#next % hashes.length] ?? 0;
      this.#hashes[this.#next % capacity] = hash;
      this.#lengths[this.#next % capacity] = lengths[this.#next % lengths.length] ?? 0;
      this.#place(this.#next, hash);
    }
  }
}

/** A number that was dropped and assigned again can be in two places. */
function newestFirst(rows: readonly number[]): number[] {
  return [...new Set(rows)].sort((a, b) => b - a);
}
