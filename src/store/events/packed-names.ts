import type { Topic } from "../../bus/topic.ts";
import { enlarged, enlargedBytes } from "./enlarged.ts";
import type { SeriesNaming } from "./series-row.ts";

/** Names that are kept: those of 100,000 topics with three sources. */
const MAX_NAMES = 320_000;
/** UTF-8 bytes of all of them. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Room at first, doubled when it is used up. */
const FIRST_NAMES = 1024;
const FIRST_BYTES = 32 * 1024;
/** The most that UTF-8 takes for a UTF-16 code unit. */
const BYTES_PER_UNIT = 3;

interface PackedName extends SeriesNaming {
  readonly topic: Topic;
}

/**
 * The names of series that were verified and may not be in use: some 40 bytes a name, where an object takes 300 and is
 * work for the garbage collector. From here, a series that is needed is there a few times sooner than from its row.
 */
export class PackedNames {
  readonly #maxNames: number;
  readonly #maxBytes: number;
  /** Ascending. */
  #ids = new Float64Array(FIRST_NAMES);
  /** Of each name, where its topic and its source begin; then where the last one ends. A removed one has no source. */
  #starts = new Uint32Array(2 * FIRST_NAMES + 1);
  #texts: Buffer = Buffer.alloc(FIRST_BYTES);
  #count = 0;

  /** Only tests change the limits. */
  constructor(maxNames = MAX_NAMES, maxBytes = MAX_BYTES) {
    this.#maxNames = maxNames;
    this.#maxBytes = maxBytes;
  }

  /** Keeps the name, if there is room for it. The ids MUST be ascending. */
  add({ id, topic, source }: PackedName): void {
    const count = this.#count;
    const start = this.#starts[2 * count] ?? 0;
    const mostEnd = start + (topic.length + source.length) * BYTES_PER_UNIT;
    if (count === this.#maxNames || mostEnd > this.#maxBytes) return;
    this.#makeRoom(count, mostEnd);
    const sourceStart = start + this.#texts.write(topic, start);
    this.#ids[count] = id;
    this.#starts[2 * count + 1] = sourceStart;
    this.#starts[2 * count + 2] = sourceStart + this.#texts.write(source, sourceStart);
    this.#count++;
  }

  /** The name of the series with this id, if it is kept. */
  get(id: number): PackedName | undefined {
    const index = this.#find(id);
    if (index === undefined) return undefined;
    const sourceStart = this.#starts[2 * index + 1] ?? REMOVED;
    if (sourceStart === REMOVED) return undefined;
    const topic = this.#texts.toString("utf8", this.#starts[2 * index], sourceStart) as Topic;
    return { id, topic, source: this.#texts.toString("utf8", sourceStart, this.#starts[2 * index + 2]) };
  }

  remove(id: number): void {
    const index = this.#find(id);
    if (index !== undefined) this.#starts[2 * index + 1] = REMOVED;
  }

  #makeRoom(count: number, bytes: number): void {
    if (bytes > this.#texts.length) this.#texts = enlargedBytes(this.#texts, Math.min(2 * bytes, this.#maxBytes));
    if (count < this.#ids.length) return;
    this.#ids = enlarged(this.#ids, 2 * count);
    this.#starts = enlarged(this.#starts, 4 * count + 1);
  }

  #find(id: number): number | undefined {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ids[middle] ?? 0) < id) low = middle + 1;
      else high = middle;
    }
    return low < this.#count && this.#ids[low] === id ? low : undefined;
  }
}

/** In place of where a source begins: no topic is empty, so none begins here. */
const REMOVED = 0;
