import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { AxeResults } from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { programPath } from "./requires.ts";

const AXE = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** Without these, Chromium contacts its maker unasked, or needs what a container does not have. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts a Chromium without a window, which the caller closes. Playwright talks to it by a pipe, as it does by default;
 * that works under Bun's test runner. A signal ends the test run, and with the pipe also the browser.
 *
 * @param more flags of Chromium's own.
 */
export function launchChromium(executablePath: string, more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath, args: [...ARGUMENTS, ...more], headless: true, handleSIGTERM: false });
}

let shared: Browser | undefined;

/** The Chromium of all tests that need no flags of their own: it starts for the first one, and ends with this process. */
export async function sharedChromium(): Promise<Browser> {
  if (shared?.isConnected() !== true) shared = await launchChromium(programPath("chromium") ?? "chromium");
  return shared;
}

/** What a page did since it was watched. */
export interface PageRecord {
  /** Addresses it asked for, in order. */
  readonly requests: readonly string[];
  /** What it complained of in its console, uncaught errors included. */
  readonly complaints: readonly string[];
}

/** Records what the page does from now on: begin before it goes anywhere. */
export function watch(page: Page): PageRecord {
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (socket) => requests.push(socket.url()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  return { requests, complaints };
}

/** What axe finds wrong, in short. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<AxeResults> } };
    const found = (await axe.run({ resultTypes: ["violations"] })).violations;
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, target }) => `${target} ${html.slice(0, 150)}`)}`);
  });
}
