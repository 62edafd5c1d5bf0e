import { mkdirSync, writeFileSync } from "node:fs";
import { withDeadline } from "./binary.ts";
import { freePort } from "./port.ts";
import { programPath } from "./requires.ts";
import { TempFolder } from "./temp.ts";

export interface NatsOptions {
  /** Default `always`: an acknowledgement comes after the fsync. */
  readonly syncInterval?: string;
  /** Default 16 MB, as `deploy/nats.conf` has it. */
  readonly maxPayload?: string;
  /** What all its streams may take together, such as `8MB`. Default: what the disk has. */
  readonly maxStore?: string;
  /** How much may wait to be stored in a stream, such as `4KB`; what exceeds it gets the error 10167. Since 2.11. */
  readonly maxBuffered?: string;
  /** Default true. */
  readonly hasJetStream?: boolean;
  /** More lines of its configuration. */
  readonly config?: string;
  /** Beside it in its configuration: what makes it one of a cluster. */
  readonly name?: string;
  /** Where its streams are stored; default: a folder of its own. */
  readonly folder?: string;
  /** What runs; default: the installed one. */
  readonly program?: string | undefined;
}

/** One nats-server with JetStream in a process of its own, on ports that stay the same when it is restarted. */
export class NatsServer implements AsyncDisposable {
  readonly port: number;
  readonly monitorPort: number;
  readonly folder: string;
  /** What its next start runs; undefined: the installed one. */
  program: string | undefined;
  readonly #release: () => void;
  readonly #configFile: string;
  #process: Bun.Subprocess | undefined;
  #said = "";

  /** Resolves once it accepts clients. */
  static async start(options: NatsOptions = {}): Promise<NatsServer> {
    const server = new NatsServer(options);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  constructor(options: NatsOptions = {}) {
    const own = new TempFolder();
    this.folder = options.folder ?? own.path;
    this.program = options.program;
    this.#release = () => own[Symbol.dispose]();
    [this.port, this.monitorPort] = [freePort(), freePort()];
    this.#configFile = own.file("nats.conf");
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(this.#configFile, configOf(this, options));
  }

  /** For clients: `nats://127.0.0.1:…`. */
  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** The monitoring port: `http://127.0.0.1:…`. */
  get monitorUrl(): string {
    return `http://127.0.0.1:${this.monitorPort}`;
  }

  /** Everything that it has written to its log. */
  get said(): string {
    return this.#said;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** Starts it (again), with what it has stored. Resolves once it accepts clients. */
  async start(): Promise<void> {
    const path = this.program ?? programPath("nats-server");
    if (path === undefined) throw new Error("nats-server is missing: node scripts/nats-server.mjs");
    const child = Bun.spawn([path, "--config", this.#configFile], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    this.#process = child;
    await withDeadline(this.#untilReady(child), "nats-server did not start");
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Stops all its threads, and keeps its connections open. */
  freeze(): void {
    this.signal("SIGSTOP");
  }

  /** Ends `freeze`. */
  thaw(): void {
    this.signal("SIGCONT");
  }

  /** `kill -9`; resolves when it is dead. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    child?.kill("SIGKILL");
    await child?.exited;
  }

  /** Asks it to stop, which hands its streams over; resolves when it has. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    child?.kill("SIGTERM");
    await child?.exited;
  }

  /** What its monitoring port says at this path, such as `/jsz?config=true`. */
  async monitor(path: string): Promise<unknown> {
    return (await fetch(`${this.monitorUrl}${path}`)).json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#release();
  }

  async #untilReady(child: Bun.Subprocess<"ignore", "ignore", "pipe">): Promise<void> {
    await new Promise<void>((ready, ended) => {
      const read = async () => {
        const decoder = new TextDecoder();
        let said = "";
        for await (const chunk of child.stderr) {
          const text = decoder.decode(chunk, { stream: true });
          said += text;
          this.#said += text;
          if (said.includes("Server is ready")) ready();
        }
        ended(new Error(`nats-server ended with ${await child.exited}:\n${said}`));
      };
      read().catch(ended);
    });
  }
}

function configOf({ port, monitorPort, folder }: NatsServer, options: NatsOptions): string {
  const limits = [
    options.maxStore === undefined ? "" : `, max_file_store: ${options.maxStore}`,
    options.maxBuffered === undefined ? "" : `, max_buffered_size: ${options.maxBuffered}`,
  ].join("");
  return [
    ...(options.name === undefined ? [] : [`server_name: ${options.name}`]),
    `listen: "127.0.0.1:${port}"`,
    `http: "127.0.0.1:${monitorPort}"`,
    `max_payload: ${options.maxPayload ?? "16MB"}`,
    options.hasJetStream === false
      ? ""
      : `jetstream { store_dir: ${JSON.stringify(folder)}, sync_interval: "${options.syncInterval ?? "always"}"${limits} }`,
    options.config ?? "",
    "",
  ].join("\n");
}
