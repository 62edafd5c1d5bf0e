import type { SeriesTable } from "../events/series-table.ts";
import { NameText } from "./name-text.ts";

/** Characters of a text, one byte each for most names: enough for two million series. */
const MAX_CHARACTERS = 48 * 1024 * 1024;

/** The newest text of all names, which searches share. */
export class NameTexts {
  readonly #table: SeriesTable;
  readonly #maxCharacters: number;
  #newest: NameText | undefined;

  constructor(table: SeriesTable, maxCharacters = MAX_CHARACTERS) {
    this.#table = table;
    this.#maxCharacters = maxCharacters;
  }

  /** A text that is fresh enough, or is made from now on; undefined if there are too many names. */
  current(): NameText | undefined {
    if (this.#newest === undefined || !this.#newest.isFresh) {
      this.#newest = new NameText(this.#table, this.#maxCharacters);
    }
    return this.#newest.isTooLarge ? undefined : this.#newest;
  }
}
