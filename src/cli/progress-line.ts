/** One line on a terminal that is written over again and again; nothing where nobody watches. */
export class ProgressLine {
  #shown = "";

  show(text: string): void {
    if (!process.stderr.isTTY || text === this.#shown) return;
    this.#shown = text;
    process.stderr.write(`\r\x1b[K${text}`);
  }

  clear(): void {
    if (this.#shown === "") return;
    this.#shown = "";
    process.stderr.write("\r\x1b[K");
  }
}
