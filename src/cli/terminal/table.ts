import { coloured, harmless } from "./output.ts";

/** A table on standard output, in as many parts as its rows come in. */
export class Table {
  readonly #head: readonly string[];
  #widths: number[] = [];
  #isBegun = false;

  constructor(...head: readonly string[]) {
    this.#head = head;
  }

  /**
   * The next lines, with the head the first time. A column is as wide as its widest cell so far. On a terminal, each
   * line is cut to its width. Control characters are replaced.
   */
  text(rows: readonly (readonly string[])[]): string {
    const cells = [this.#head, ...rows].map((row) => row.map(harmless));
    this.#widths = this.#head.map((_, column) => {
      return Math.max(this.#widths[column] ?? 0, ...cells.map((row) => Bun.stringWidth(row[column] ?? "")));
    });
    const [head = "", ...lines] = cells.map((row) => this.#line(row));
    const begin = this.#isBegun ? [] : [coloured("gray", head)];
    this.#isBegun = true;
    return [...begin, ...lines].map((line) => `${line}\n`).join("");
  }

  #line(row: readonly string[]): string {
    const cells = row.map((cell, column) => cell + " ".repeat((this.#widths[column] ?? 0) - Bun.stringWidth(cell)));
    const line = cells.join("  ").trimEnd();
    return process.stdout.isTTY ? Bun.sliceAnsi(line, 0, process.stdout.columns || 80, "…") : line;
  }
}
