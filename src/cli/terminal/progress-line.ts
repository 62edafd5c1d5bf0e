/** One line on a terminal that is overwritten repeatedly; prints nothing if there is no terminal. */
export class ProgressLine {
  #shown = "";

  show(text: string): void {
    if (!process.stderr.isTTY || text === this.#shown) return;
    this.#shown = text;
    process.stderr.write(`\r\x1b[K${Bun.sliceAnsi(text, 0, (process.stderr.columns || 80) - 1)}`);
  }

  /** Writes a line that stays, to standard error. */
  warn(text: string): void {
    this.clear();
    process.stderr.write(`${text}\n`);
  }

  clear(): void {
    if (this.#shown === "") return;
    this.#shown = "";
    process.stderr.write("\r\x1b[K");
  }
}
