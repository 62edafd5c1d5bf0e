import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { DEADLINE_MS } from "./deadline.ts";
import { TempFolder } from "./temp.ts";

/** What `npm run build` makes; `EVENTBUS_TEST_BINARY` names another one to test. */
export const BINARY = process.env["EVENTBUS_TEST_BINARY"] ?? resolve(import.meta.dir, "../../dist/eventbus");

export interface BinaryOptions {
  /** In addition to `--port`. */
  readonly args?: readonly string[];
  /** Where a server listens; default 0, any free port. */
  readonly port?: number;
  /** In addition to `PATH`, which is all it gets of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** File descriptors it may have; default as many as this process. */
  readonly descriptors?: number;
  /** What is started instead of the binary, before the arguments. */
  readonly program?: readonly string[];
  /** Where it is started; an empty folder of its own if omitted. */
  readonly folder?: string;
}

/** The compiled binary as a server, in a process of its own. Killed, if it still runs, when it is disposed of. */
export class Binary implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #release: () => void;
  readonly folder: string;
  #stderr = "";
  #url = "";

  /** Resolves once it has said where it listens. Rejects with its output if it ends before that. */
  static async start(options: BinaryOptions = {}): Promise<Binary> {
    const binary = new Binary(options);
    try {
      await withDeadline(binary.#untilListening(), "the binary did not start");
      return binary;
    } catch (error) {
      await binary[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(options: BinaryOptions) {
    const own = options.folder === undefined ? new TempFolder() : undefined;
    this.folder = options.folder ?? own?.path ?? "";
    this.#release = () => own?.[Symbol.dispose]();
    this.#process = spawnBinary(
      ["--port", String(options.port ?? 0), ...(options.args ?? [])],
      this.folder,
      options.env,
      undefined,
      options.descriptors,
      options.program,
    );
  }

  /** `http://127.0.0.1:…`, without a slash at the end. */
  get url(): string {
    return this.#url;
  }

  get port(): number {
    return Number(new URL(this.#url).port);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Everything it has said on standard error so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves with the exit code; a process that was killed has 128 and the signal's number. */
  get exited(): Promise<number> {
    return withDeadline(this.#process.exited, "the binary did not end");
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks it to stop; resolves with the exit code. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.signal(signal);
    return this.exited;
  }

  /** `kill -9`; resolves when it is dead. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    this.#release();
  }

  async #untilListening(): Promise<void> {
    await new Promise<void>((listening, ended) => {
      const read = async () => {
        const decoder = new TextDecoder();
        for await (const chunk of this.#process.stderr) {
          this.#stderr += decoder.decode(chunk, { stream: true });
          this.#url ||= /listening on (http\S+?)["\s]/.exec(this.#stderr)?.[1] ?? "";
          if (this.#url !== "") listening();
        }
        ended(new Error(`the binary ended with ${await this.#process.exited}:\n${this.#stderr}`));
      };
      read().catch(ended);
    });
  }
}

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions extends Omit<BinaryOptions, "args" | "port" | "descriptors"> {
  /** What its standard input holds; nothing if omitted. */
  readonly stdin?: string | Uint8Array;
}

/** Runs the binary until it ends by itself. */
export async function runBinary(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const own = options.folder === undefined ? new TempFolder() : undefined;
  const stdin = options.stdin === undefined ? "ignore" : Buffer.from(options.stdin);
  const child = spawnBinary(args, options.folder ?? own?.path ?? "", options.env, stdin);
  try {
    const texts = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const exitCode = await withDeadline(child.exited, `the binary did not end: ${args.join(" ")}`);
    const [stdout, stderr] = await texts;
    return { exitCode, stdout, stderr };
  } finally {
    child.kill("SIGKILL");
    own?.[Symbol.dispose]();
  }
}

/** Starts the binary with nothing but `PATH` and `env` in its environment. */
export function spawnBinary<Stdin extends "ignore" | "pipe" | Buffer = "ignore">(
  args: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>> = {},
  stdin?: Stdin,
  descriptors?: number,
  program: readonly string[] = [BINARY],
) {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it with npm run build`);
  const limited = descriptors === undefined ? [] : ["sh", "-c", `ulimit -n ${descriptors}; exec "$0" "$@"`];
  return Bun.spawn([...limited, ...program, ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...env },
    stdin: stdin ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Rejects, naming `what`, when the work takes too long. */
export async function withDeadline<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
