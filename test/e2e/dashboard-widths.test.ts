import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ServerProcess } from "../client/server-process.ts";
import { violations } from "../helpers/browser.ts";
import { openDashboard, ready } from "../helpers/dashboard.ts";
import { publish } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";

const views = [
  "#/live",
  "#/history",
  "#/event/1",
  "#/event/999",
  "#/topics",
  "#/topics?find=orders.*&after=a",
  "#/consumers",
  "#/consumers/billing",
  "#/publish",
  "#/tokens",
  "#/health",
];

/** Small and usual telephones, a tablet, a laptop, and large screens, in CSS pixels. */
const WIDTHS = [320, 390, 768, 1280, 1920, 2560];
/** Those of them at which axe looks, which takes longer: one of each layout. */
const AXE_WIDTHS = [320, 768, 1280, 1920];

describeWith("chromium", "every view", () => {
  let server: ServerProcess;
  let url = "";
  beforeAll(async () => {
    server = await ServerProcess.start();
    url = server.url;
    await publish(url, "orders.created", { total: 1.5, lines: [{ sku: "a".repeat(300) }] });
    await publish(url, `a-very-long-topic.${"x".repeat(200)}`, "y".repeat(2000), "s".repeat(200));
    const body = '{"pattern":["orders.*"]}';
    expect((await fetch(`${url}/api/consumers/billing`, { method: "PUT", body })).status).toBe(201);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  describe.each(views)("%s", (hash) => {
    test.each(["light", "dark"] as const)("is accessible, and fits every width, %s", async (colorScheme) => {
      await using dashboard = await openDashboard(url, hash, { colorScheme });
      const { page, record } = dashboard;
      await ready[hash]?.(page);
      const isList = hash === "#/live" || hash === "#/history";
      const findings: [width: number, finding: string][] = [];
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 800 });
        if (isList && width === 768) await page.locator(".row").first().click();
        if (isList && width >= 768) await page.getByRole("article").waitFor();
        await page.evaluate(NEXT_FRAME);
        const found = AXE_WIDTHS.includes(width) ? await violations(page) : [];
        for (const finding of [...(await page.evaluate(CUT_OFF)), ...found]) findings.push([width, finding]);
      }
      expect(findings).toEqual([]);
      const complaints = record.complaints.filter((words) => !(hash === "#/event/999" && words.includes("404")));
      expect(complaints).toEqual([]);
    });
  });
});

/** Resolves when the page has been laid out and drawn. */
const NEXT_FRAME = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));

/** What is wider than its place: the page, and what would have to be scrolled sideways, but for code. */
const CUT_OFF = () =>
  [...document.querySelectorAll("html, body, main, main :not(pre, textarea)")]
    .filter((element) => element.scrollWidth > element.clientWidth)
    .filter((element) => /auto|scroll/.test(getComputedStyle(element).overflowX) || element.matches("html, body"))
    .map((element) => `cut off: ${element.tagName} ${element.className}`);
