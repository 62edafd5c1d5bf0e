import { resolve } from "node:path";
import { TempFolder } from "./temp.ts";

const MAIN = resolve(import.meta.dir, "../../src/main.ts");

/** The service from its sources, in a process of its own, so that its memory can be measured. */
export class ChildServer implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #folder = new TempFolder();
  url = "";

  /** Resolves once it has said where it listens. */
  static async start(...args: string[]): Promise<ChildServer> {
    const server = new ChildServer(args);
    await server.#untilListening();
    return server;
  }

  private constructor(args: readonly string[]) {
    this.#process = Bun.spawn([process.execPath, MAIN, "--port", "0", ...args], {
      cwd: this.#folder.path,
      env: { PATH: process.env["PATH"] },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
  }

  /** Resident memory of the process, in MiB. */
  rssMiB(): number {
    const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(this.#process.pid)]);
    return Number(stdout.toString()) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    this.#folder[Symbol.dispose]();
  }

  async #untilListening(): Promise<void> {
    const decoder = new TextDecoder();
    let said = "";
    for await (const chunk of this.#process.stderr) {
      said += decoder.decode(chunk, { stream: true });
      this.url = /listening on (http\S+?)["\s]/.exec(said)?.[1] ?? "";
      if (this.url !== "") return;
    }
    throw new Error(`the server did not start: ${said}`);
  }
}
