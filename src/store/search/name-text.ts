import type { SeriesNaming } from "../events/series-row.ts";
import type { SeriesTable } from "../events/series-table.ts";
import type { IsSpent } from "./allowance.ts";

/** Names that are read from the index at a time: a tenth of a millisecond. */
const CHUNK_NAMES = 256;
/** Characters of a block: one is searched in some ten microseconds. */
const BLOCK_CHARACTERS = 32 * 1024;
/** A text that lacks more new series than this, or has more that were removed, is made again: each is looked up. */
const MAX_CHANGES = 16_384;

/**
 * The names of all series as of one moment, as blocks of text. For a pattern that no range of the index covers, it is
 * searched ten times as fast as the index is read. The searches that need it make it step by step; each uses the blocks
 * that are there.
 */
export class NameText {
  /** Series from this id on may be missing. */
  readonly nextId: number;
  /** Number of removals by then; series removed later are still in it. */
  readonly removals: number;
  readonly #table: SeriesTable;
  readonly #maxCharacters: number;
  readonly #blocks: string[] = [];
  #lines: string[] = [];
  #blockCharacters = 0;
  #characters = 0;
  #after: SeriesNaming | undefined;
  #isComplete = false;

  constructor(table: SeriesTable, maxCharacters: number) {
    this.#table = table;
    this.#maxCharacters = maxCharacters;
    this.nextId = table.nextId;
    this.removals = table.removals;
  }

  /** All names are in it. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** There are too many names. */
  get isTooLarge(): boolean {
    return this.#characters > this.#maxCharacters;
  }

  /** Whether little has changed since that moment. */
  get isFresh(): boolean {
    const { nextId, removals } = this.#table;
    if (this.#table.removedSince(this.removals) === undefined) return false;
    return nextId - this.nextId <= MAX_CHANGES && removals - this.removals <= MAX_CHANGES;
  }

  /** The block with this number, made now if it is the next one; undefined if it is not ready, or if there is none. */
  block(index: number, isSpent: IsSpent): string | undefined {
    while (index >= this.#blocks.length && !this.#isComplete && !this.isTooLarge) {
      this.#readOn();
      if (isSpent()) break;
    }
    return this.#blocks[index];
  }

  #readOn(): void {
    const names = this.#table.namesIn({ from: "", below: undefined }, this.#after, undefined, CHUNK_NAMES);
    for (const { id, topic } of names) {
      const line = `${topic}\t${id}\n`;
      this.#lines.push(line);
      this.#blockCharacters += line.length;
    }
    this.#after = names.at(-1) ?? this.#after;
    this.#isComplete = names.length < CHUNK_NAMES;
    if (this.#isComplete || this.#blockCharacters >= BLOCK_CHARACTERS) this.#endBlock();
  }

  #endBlock(): void {
    this.#blocks.push(this.#lines.join(""));
    this.#characters += this.#blockCharacters;
    this.#blockCharacters = 0;
    this.#lines = [];
    if (this.isTooLarge) this.#blocks.length = 0;
  }
}

/** The names in a block; if `literals` are given, only those that contain one of them, and perhaps others. */
export function namesInBlock(block: string, literals: readonly string[] | undefined): Omit<SeriesNaming, "source">[] {
  if (literals === undefined) return block.split("\n").slice(0, -1).map(nameOf);
  const lines = new Set<string>();
  for (const literal of literals) {
    for (let at = block.indexOf(literal), end = 0; at >= 0; at = block.indexOf(literal, end)) {
      end = block.indexOf("\n", at);
      lines.add(block.slice(block.lastIndexOf("\n", at) + 1, end));
    }
  }
  return [...lines].map(nameOf);
}

/** No topic contains a tab; one that does is damaged. */
function nameOf(line: string): Omit<SeriesNaming, "source"> {
  const tab = line.lastIndexOf("\t");
  return { id: Number(line.slice(tab + 1)), topic: line.slice(0, tab) };
}
