/** Reports on standard error what is being done: one line that changes on a terminal, a line a step elsewhere. */
export class Progress {
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #startMs = performance.now();
  #title = "";

  /** A new bench begins. */
  begin(title: string): void {
    this.#title = title;
    this.step("");
  }

  step(what: string): void {
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(0).padStart(4);
    const line = `${seconds} s  ${this.#title}${what === "" ? "" : `: ${what}`}`;
    process.stderr.write(this.#isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
  }

  end(): void {
    if (this.#isTerminal) process.stderr.write("\r\x1b[K");
  }
}
