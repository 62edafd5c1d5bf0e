import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "./bench.ts";
import { Child } from "./child.ts";

/** How long a server may take to answer its first request, in milliseconds. */
const START_MS = 60_000;

/** A server under test or a control, alone on its core. */
export class Server {
  readonly port: number;
  readonly #child: Child;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** The program itself, with a history of its own that keeps everything unless the flags say otherwise. */
  static eventbus(context: Context, flags: readonly string[] = []): Promise<Server> {
    return Server.start(context, [context.binary, ...eventbusFlags(context, flags)]);
  }

  /** A program of `bench/controls`; it gets the port and then the other arguments. */
  static control(context: Context, name: string, ...argv: readonly string[]): Promise<Server> {
    const port = freePort();
    const file = join(import.meta.dir, "../controls", `${name}.ts`);
    return Server.start(context, [process.execPath, file, String(port), ...argv], port);
  }

  /** Starts any command line; resolves when it answers on the port, which is the one after `--port` by default. */
  static async start(context: Context, argv: readonly string[], port = portOf(argv)): Promise<Server> {
    const logFile = join(mkdtempSync(join(context.folder, "server-")), "log");
    const child = new Child(argv, { role: "server", logFile });
    const server = new Server(child, port);
    await server.#answers();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  cpuSeconds(): number {
    return this.#child.cpuSeconds();
  }

  residentBytes(): number {
    return this.#child.residentBytes();
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }

  async #answers(): Promise<void> {
    let hasEnded = false;
    void this.#child.exited.then(() => {
      hasEnded = true;
    });
    const deadlineMs = performance.now() + START_MS;
    while (performance.now() < deadlineMs && !hasEnded) {
      const answer = await fetch(`${this.url}/healthz`).catch(() => undefined);
      if (answer !== undefined) return;
      await Bun.sleep(5);
    }
    throw new Error(`a server did not start: ${this.#child.log}`);
  }
}

/** A port, a new history and quiet, unless the flags name others. */
export function eventbusFlags(context: Context, flags: readonly string[] = []): string[] {
  const given = (flag: string, value: string) => (flags.includes(flag) ? [] : [flag, value]);
  return [
    "serve",
    ...given("--port", String(freePort())),
    ...given("--db", join(mkdtempSync(join(context.folder, "db-")), "eventbus.db")),
    ...given("--max-history", "off"),
    ...given("--log-level", "error"),
    ...flags,
  ];
}

/** A port that was free a moment ago. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

function portOf(argv: readonly string[]): number {
  return Number(argv[argv.indexOf("--port") + 1]);
}
