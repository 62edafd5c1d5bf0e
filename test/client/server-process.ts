import { resolve } from "node:path";
import { freePort } from "../helpers/port.ts";
import { TempFolder } from "../helpers/temp.ts";

const MAIN = resolve(import.meta.dir, "../../src/main.ts");

/** A server in a process of its own, which can die and come back on the same port and the same file. */
export class ServerProcess implements AsyncDisposable {
  readonly port: number;
  readonly #folder = new TempFolder();
  #process: Bun.Subprocess<"ignore", "ignore", "pipe"> | undefined;

  readonly #flags: readonly string[];

  private constructor(port: number, flags: readonly string[]) {
    this.port = port;
    this.#flags = flags;
  }

  /** `flags` are passed at every start, in addition to `--port` and `--db`. */
  static async start(flags: readonly string[] = []): Promise<ServerProcess> {
    const server = new ServerProcess(freePort(), flags);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves once it listens. */
  async start(): Promise<void> {
    const database = this.#folder.file("eventbus.db");
    const flags = ["--port", String(this.port), "--db", database, ...this.#flags];
    this.#process = Bun.spawn([process.execPath, MAIN, "serve", ...flags], {
      cwd: this.#folder.path,
      env: { PATH: process.env["PATH"] },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    let words = "";
    for await (const chunk of this.#process.stderr) {
      words += new TextDecoder().decode(chunk);
      if (words.includes("listening on")) return;
    }
    throw new Error(`the server did not start: ${words}`);
  }

  /** Resident memory of the process, in MiB. */
  rssMiB(): number {
    const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(this.#process?.pid)]);
    return Number(stdout.toString()) / 1024;
  }

  /** Kills it at once, so that it can close nothing. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** Asks it to stop, and waits until it has. */
  async stop(): Promise<void> {
    this.#process?.kill("SIGTERM");
    await this.#process?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }
}
