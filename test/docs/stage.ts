import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Browser } from "playwright-core";
import { NPM_SCOPE } from "../../scripts/names.mjs";
import { BINARY, Binary } from "../helpers/binary.ts";
import { launchChromium } from "../helpers/browser.ts";
import { until } from "../helpers/inbox.ts";
import { freePort } from "../helpers/port.ts";
import { programPath } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";

const ROOT = resolve(import.meta.dir, "../..");

/** What the pages call the server, and the origin of a page of another site. */
const SHOWN = "127.0.0.1:9800";
const SHOWN_ELSEWHERE = "http://127.0.0.1:8080";

/** Where Go keeps what it has compiled, from one run of the tests to the next. */
const GO_CACHE = "/tmp/eventbus-go-cache";

/** An empty folder with a server, in which the commands of one page run one after another. */
export class Stage implements AsyncDisposable {
  readonly #server: Binary;
  readonly #folder: TempFolder;
  readonly #elsewhere: Bun.Server<undefined>;
  readonly #masksNumbers: boolean;
  /** Ports of the page, and those that replace them here. */
  readonly #ports: ReadonlyMap<string, string>;
  readonly #programs: Running[] = [];
  #browser: Browser | undefined;
  /** What the last block said, and whether that is all. */
  #said: { readonly text: () => string; readonly isOver: boolean };

  /**
   * `masksNumbers`: some blocks of the page are left out, so the ids of the others differ from those it shows.
   * `ports`: what the page listens on itself; others take their place.
   */
  static async start(
    args: string,
    { masksNumbers, ports = [] }: { readonly masksNumbers: boolean; readonly ports?: readonly string[] },
  ): Promise<Stage> {
    const folder = new TempFolder();
    const html = { headers: { "Content-Type": "text/html" } };
    const elsewhere = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<!doctype html>", html) });
    const flags = args.replaceAll(SHOWN_ELSEWHERE, elsewhere.url.origin).split(" ").filter(Boolean);
    const server = await Binary.start({ folder: folder.path, args: flags });
    return new Stage(server, folder, elsewhere, { masksNumbers, ports });
  }

  private constructor(
    server: Binary,
    folder: TempFolder,
    elsewhere: Bun.Server<undefined>,
    { masksNumbers, ports }: { readonly masksNumbers: boolean; readonly ports: readonly string[] },
  ) {
    this.#masksNumbers = masksNumbers;
    this.#ports = new Map(ports.map((port) => [port, String(freePort())]));
    this.#server = server;
    this.#folder = folder;
    this.#elsewhere = elsewhere;
    this.#said = { text: () => server.stderr, isOver: false };
    const bin = this.path("bin");
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, "bun"));
    symlinkSync(BINARY, join(bin, "eventbus"));
    const natsServer = programPath("nats-server");
    if (natsServer !== undefined) symlinkSync(natsServer, join(bin, "nats-server"));
    if (Bun.which("websocat") === null) copyFileSync(join(import.meta.dir, "websocat.mjs"), join(bin, "websocat"));
    if (Bun.which("websocat") === null) chmodSync(join(bin, "websocat"), 0o755);
    // On a terminal, curl shows no progress beside its output.
    writeFileSync(this.path(".curlrc"), "no-progress-meter\n");
    // What `npm install` makes: of the folder, and of the SDK.
    const client = this.path(`node_modules/${NPM_SCOPE}/client`);
    mkdirSync(client, { recursive: true });
    symlinkSync(join(ROOT, "src/client/index.ts"), join(client, "index.ts"));
    symlinkSync(ROOT, this.path("node_modules/eventbus"));
  }

  path(name: string): string {
    return this.#folder.file(name);
  }

  /** Writes a file of that name; of a path in the project, only the file's own name is kept. */
  write(name: string, text: string): void {
    writeFileSync(this.path(basename(name)), this.#here(text));
  }

  /** Runs a command until it ends; fails unless it ends well. */
  async run(command: readonly string[]): Promise<void> {
    const running = this.#spawn(command);
    const exitCode = await running.child.exited;
    await running.read;
    this.#said = { text: () => running.output, isOver: true };
    if (exitCode !== 0) throw new Error(`ended with ${exitCode}:\n${running.output}`);
  }

  /** Starts a command that keeps running. */
  follow(command: readonly string[]): void {
    const running = this.#spawn(command);
    this.#programs.push(running);
    this.#said = { text: () => running.output, isOver: false };
  }

  /** Ends the last command that keeps running. */
  async interrupt(): Promise<void> {
    await this.#programs.pop()?.[Symbol.asyncDispose]();
  }

  /** Runs a script in the console of a browser, on a page of the server or of another origin. */
  async browse(path: string, script: string): Promise<void> {
    const chromium = programPath("chromium") ?? "";
    this.#browser ??= await launchChromium(chromium);
    const page = await this.#browser.newPage();
    const lines: string[] = [];
    page.on("console", (message) => lines.push(message.text()));
    page.on("pageerror", (error) => lines.push(String(error)));
    await page.goto(path.startsWith("/") ? `${this.#server.url}${path}` : this.#elsewhere.url.origin);
    const console = await page.context().newCDPSession(page);
    const expression = this.#here(script);
    const { exceptionDetails } = await console.send("Runtime.evaluate", {
      expression,
      replMode: true,
      awaitPromise: true,
    });
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    this.#said = { text: () => lines.map((line) => `${line}\n`).join(""), isOver: false };
  }

  /** Resolves when the last block has said this; rejects with what it said when it does not. */
  async said(expected: string): Promise<void> {
    const wanted = masked(expected, this.#masksNumbers).trimEnd().split("\n");
    const isSaid = () => {
      const lines = masked(this.#shown(this.#said.text()), this.#masksNumbers).trimEnd().split("\n");
      const isWhole = !this.#said.isOver || lines.length === wanted.length;
      return isWhole && wanted.every((line, at) => matches(line, lines[at]));
    };
    await until(isSaid).catch(() => {
      throw new Error(`expected\n${expected}\nbut it said\n${this.#shown(this.#said.text())}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser?.close();
    while (this.#programs.length > 0) await this.interrupt();
    await this.#server[Symbol.asyncDispose]();
    await this.#elsewhere.stop(true);
    this.#folder[Symbol.dispose]();
  }

  #spawn(command: readonly string[]): Running {
    const env = {
      PATH: `${this.path("bin")}:${process.env["PATH"]}`,
      HOME: this.#folder.path,
      EVENTBUS_URL: this.#server.url,
      GOCACHE: process.env["GOCACHE"] ?? GO_CACHE,
      GOTOOLCHAIN: "local",
    };
    return new Running(
      command.map((part) => this.#here(part)),
      { cwd: this.#folder.path, env },
    );
  }

  /** A text of a page, with the addresses of this stage. */
  #here(text: string): string {
    return [...this.#ports]
      .reduce((changed, [shown, here]) => changed.replaceAll(new RegExp(`\\b${shown}\\b`, "g"), here), text)
      .replaceAll(SHOWN_ELSEWHERE, this.#elsewhere.url.origin)
      .replaceAll(SHOWN, new URL(this.#server.url).host);
  }

  /** What was said here, as the page would show it. */
  #shown(text: string): string {
    return [...this.#ports]
      .reduce((changed, [shown, here]) => changed.replaceAll(here, shown), text)
      .replaceAll(new URL(this.#server.url).host, SHOWN)
      .replaceAll(this.#elsewhere.url.origin, SHOWN_ELSEWHERE);
  }
}

const ANY_TIME = "2026-11-23T14:30:00.123Z";

function masked(text: string, masksNumbers: boolean): string {
  const timeless = text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, ANY_TIME);
  return masksNumbers ? timeless.replaceAll(/\d+/g, "0") : timeless;
}

/** An ellipsis in a page stands for anything. */
function matches(expected: string, line: string | undefined): boolean {
  const parts = expected.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return line !== undefined && new RegExp(`^${parts.join(".*")}$`).test(line);
}

/** A command in a group of its own, so that all that it started ends with it. */
class Running implements AsyncDisposable {
  readonly child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** Resolves when all that it says is read. */
  readonly read: Promise<unknown>;
  output = "";

  constructor(command: readonly string[], options: { readonly cwd: string; readonly env: Record<string, string> }) {
    this.child = Bun.spawn(["setsid", ...command], { ...options, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    this.read = Promise.all([this.#read(this.child.stdout), this.#read(this.child.stderr)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null) process.kill(-this.child.pid, "SIGKILL");
    await this.child.exited;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.output += decoder.decode(chunk, { stream: true });
  }
}
