import type { BrowserContextOptions, Page } from "playwright-core";
import { type PageRecord, sharedChromium, watch } from "./browser.ts";
import { DEADLINE_MS } from "./deadline.ts";
import { until } from "./inbox.ts";

/** Short beside the time limit of a request, so that a server that responds is not taken for one that does not. */
const STEP_MS = 500;

export interface Dashboard extends AsyncDisposable {
  readonly page: Page;
  readonly record: PageRecord;
}

/** By a view's address: resolves when it shows what it is to show. */
export const ready: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  "#/live": (page) => page.locator(".row").first().waitFor(),
  "#/history": (page) => page.locator(".row").first().waitFor(),
  "#/event/1": (page) => page.getByRole("article").waitFor(),
  "#/event/999": (page) => page.getByRole("heading", { name: "There is no event 999" }).waitFor(),
  "#/topics": (page) => page.getByRole("table").waitFor(),
  "#/topics?find=orders.*&after=a": (page) => page.getByRole("navigation", { name: "Pages" }).waitFor(),
  "#/consumers": (page) => page.getByRole("link", { name: "billing" }).waitFor(),
  "#/consumers/billing": (page) => page.getByRole("heading", { name: "billing" }).waitFor(),
  "#/publish": (page) => page.getByRole("button", { name: "Publish" }).waitFor(),
  "#/tokens": (page) => page.getByRole("heading", { name: "There are no tokens" }).waitFor(),
  "#/health": (page) => page.locator("canvas").first().waitFor(),
};

/**
 * The dashboard in a browser context of its own: nothing is stored from before. `hasClock`: its time can be set forward.
 */
export async function openDashboard(
  url: string,
  hash = "",
  { hasClock = false, ...options }: BrowserContextOptions & { readonly hasClock?: boolean } = {},
): Promise<Dashboard> {
  const browser = await sharedChromium();
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(DEADLINE_MS);
  if (hasClock) await context.clock.install();
  const page = await context.newPage();
  const record = watch(page);
  await page.goto(`${url}/${hash}`);
  return { page, record, [Symbol.asyncDispose]: () => context.close() };
}

/** Sets the time of a page with a clock forward, again and again, until the condition holds. */
export async function untilInTime(page: Page, holds: () => Promise<boolean>, what: string): Promise<void> {
  await until(async () => {
    if (await holds()) return true;
    await page.clock.fastForward(STEP_MS);
    return false;
  }, what);
}

/** The ids in the rows that are in the document, as the page shows them. */
export async function shownIds(page: Page): Promise<number[]> {
  return (await page.locator(".row .id").allTextContents()).map(Number).toSorted((a, b) => a - b);
}

/** Publishes this many small events with one request; their data is their number, from 1. */
export async function publishNumbers(url: string, count: number, topic = "n"): Promise<void> {
  const lines = Array.from({ length: count }, (_, index) => JSON.stringify({ topic, data: index + 1 }));
  const headers = { "Content-Type": "application/x-ndjson" };
  const response = await fetch(`${url}/api/events/publish`, { method: "POST", headers, body: lines.join("\n") });
  if (!response.ok) throw new Error(await response.text());
}
