import { readFileSync } from "node:fs";
import { spawnBinary, withDeadline } from "./binary.ts";
import { Inbox, until } from "./inbox.ts";
import { TempFolder } from "./temp.ts";

/** A client command of the compiled binary, while it runs. Killed, if it still does, when it is disposed of. */
export class RunningCommand implements AsyncDisposable {
  readonly #folder = new TempFolder();
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  /** Lines of its standard output. */
  readonly lines = new Inbox<string>();
  /** Everything it has said on standard error so far. */
  stderr = "";

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#process = spawnBinary<"pipe">(args, this.#folder.path, env, "pipe");
    void this.#readLines();
    void this.#readStderr();
  }

  /** Resolves with the exit code. */
  get exited(): Promise<number> {
    return withDeadline(this.#process.exited, `the command did not end, and said ${this.stderr}`);
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /**
   * The most memory it has had so far, in MiB; while it runs. For a process that has ended, Linux reports a `ru_maxrss`
   * that includes what its parent held when it started it.
   */
  get peakMiB(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  /** Resolves when its standard error matches. */
  said(pattern: RegExp): Promise<void> {
    return until(() => pattern.test(this.stderr), `${pattern} on standard error`);
  }

  /** Resolves when the pipe has taken it. */
  async write(text: string): Promise<void> {
    this.#process.stdin.write(text);
    await this.#process.stdin.flush();
  }

  async endInput(): Promise<void> {
    await this.#process.stdin.end();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    this.#folder[Symbol.dispose]();
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const chunk of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const [...lines] = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.lines.push(line);
    }
    this.lines.close(new Error(`standard output ended; on standard error: ${this.stderr}`));
  }

  async #readStderr(): Promise<void> {
    for await (const chunk of this.#process.stderr.pipeThrough(new TextDecoderStream())) this.stderr += chunk;
  }
}
