import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "./bench.ts";
import { Child } from "./child.ts";

/** How long a server may take to answer its first request, in milliseconds. */
const START_MS = 60_000;
const LOWEST_PORT = 12_000;
const HIGHEST_PORT = 30_000;

/** A server under test or a control, alone on its core. */
export class Server {
  readonly port: number;
  readonly #child: Child;
  readonly #folder: string;

  private constructor(argv: readonly string[], port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
    this.#child = new Child(argv, { role: "server", logFile: join(folder, "log") });
  }

  /** The program itself, with a new history that keeps everything unless the flags say otherwise. */
  static eventbus(context: Context, flags: readonly string[] = []): Promise<Server> {
    return Server.#start(context, (port, folder) => [context.binary, ...serveArguments(port, folder, flags)]);
  }

  /** A program of `bench/controls`, which gets the port, a folder for its files, and then the other arguments. */
  static control(context: Context, name: string, ...argv: readonly string[]): Promise<Server> {
    const file = join(import.meta.dir, "../controls", `${name}.ts`);
    return Server.#start(context, (port, folder) => [process.execPath, file, String(port), folder, ...argv]);
  }

  /** A control that is the program itself with a part exchanged, and so takes the program's own flags. */
  static variant(context: Context, name: string, flags: readonly string[] = []): Promise<Server> {
    const file = join(import.meta.dir, "../controls", `${name}.ts`);
    return Server.#start(context, (port, folder) => [process.execPath, file, ...serveArguments(port, folder, flags)]);
  }

  /** Another product, which need not speak HTTP. */
  static peer(context: Context, argv: (port: number, folder: string) => Promise<string[]>): Promise<Server> {
    return Server.#start(context, argv, acceptsConnections);
  }

  static async #start(
    context: Context,
    argv: (port: number, folder: string) => string[] | Promise<string[]>,
    isReady = answersRequests,
  ): Promise<Server> {
    const port = freePort();
    const folder = mkdtempSync(join(context.folder, "server-"));
    const server = new Server(await argv(port, folder), port, folder);
    await server.#until(isReady);
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** How it ended, if it did, and what it logged. */
  get lastWords(): string {
    return `the server ${this.#child.state}: ${this.#child.log}`;
  }

  cpuSeconds(): number {
    return this.#child.cpuSeconds();
  }

  residentBytes(): number {
    return this.#child.residentBytes();
  }

  peakResidentBytes(): number {
    return this.#child.peakResidentBytes();
  }

  /** Ends it as a crash would; resolves when it has ended. */
  async kill(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }

  /** Ends the server and removes the files that were made for it. */
  async stop(): Promise<void> {
    await this.#child.stop();
    await rm(this.#folder, { recursive: true });
  }

  async #until(isReady: (port: number) => Promise<boolean>): Promise<void> {
    let hasEnded = false;
    void this.#child.exited.then(() => {
      hasEnded = true;
    });
    const deadlineMs = performance.now() + START_MS;
    while (performance.now() < deadlineMs && !hasEnded) {
      if (await isReady(this.port)) return;
      await Bun.sleep(5);
    }
    throw new Error(`a server did not start: ${this.#child.log}`);
  }
}

function answersRequests(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/healthz`).then(
    () => true,
    () => false,
  );
}

async function acceptsConnections(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}

/** Flags of a quiet server with a history in `folder`, unless `flags` say otherwise. */
export function serveArguments(port: number, folder: string, flags: readonly string[]): string[] {
  const given = (flag: string, value: string) => (flags.includes(flag) ? [] : [flag, value]);
  return [
    "serve",
    "--port",
    String(port),
    ...given("--db", join(folder, "eventbus.db")),
    ...given("--max-history", "off"),
    ...given("--log-level", "error"),
    ...flags,
  ];
}

/** A port that was free a moment ago, below those that the system gives to programs that ask for any port. */
export function freePort(): number {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT));
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    }
  }
}
