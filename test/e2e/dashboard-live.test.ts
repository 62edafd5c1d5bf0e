import { expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { ServerProcess } from "../client/server-process.ts";
import { openDashboard, publishNumbers, shownIds } from "../helpers/dashboard.ts";
import { publish } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);
const untilShown = (page: Page, id: number) => page.locator(`#row-${id}`).waitFor();
const untilRows = (page: Page, words: string) => page.getByText(words, { exact: true }).waitFor();

describeWith("chromium", "the live view", () => {
  test("says that the server is gone, and shows what it missed when the server is back", async () => {
    await using server = await ServerProcess.start();
    await publishNumbers(server.url, 3);
    await using dashboard = await openDashboard(server.url);
    const { page } = dashboard;
    await untilShown(page, 3);
    await server.stop();
    await page.getByRole("status").getByText("Disconnected").waitFor();
    await server.start();
    await publishNumbers(server.url, 4);
    await page.getByRole("status").getByText("Connected").waitFor();
    await untilShown(page, 7);
    expect(await shownIds(page)).toEqual(range(1, 7));
    await page.getByRole("link", { name: "Health" }).click();
    const log = page.getByRole("region", { name: "Connection of this page" });
    expect(await log.textContent()).toMatch(/Reconnected, continuing after event 3.*Disconnected.*Connected\./s);
  });

  test("never lacks its newest row, however many come at once", async () => {
    await using server = await ServerProcess.start();
    await publishNumbers(server.url, 100);
    await using dashboard = await openDashboard(server.url);
    const { page } = dashboard;
    await untilShown(page, 100);
    await page.evaluate(OBSERVE_UNTIL, 400);
    await publishNumbers(server.url, 300);
    const seen = await page.evaluate<Change[]>("changes");
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter(({ newest, length }) => newest !== length)).toEqual([]);
  });

  test("keeps a long topic on one line of its row", async () => {
    await using server = await ServerProcess.start();
    await publish(server.url, `github.${"branch_protection_rule.".repeat(8)}edited`);
    await using dashboard = await openDashboard(server.url);
    const { page } = dashboard;
    await untilShown(page, 1);
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      const [row, topic] = [page.locator("#row-1"), page.locator("#row-1 .topic")];
      await row.waitFor();
      const { line, text } = await topic.evaluate((element) => ({
        line: Number.parseFloat(getComputedStyle(element).lineHeight),
        text: element.scrollHeight,
      }));
      expect(text).toBeLessThan(2 * line);
    }
  });

  test("loses nothing while it is paused", async () => {
    await using server = await ServerProcess.start();
    await publishNumbers(server.url, 5);
    await using dashboard = await openDashboard(server.url);
    const { page } = dashboard;
    await untilShown(page, 5);
    await page.getByRole("button", { name: "Pause" }).click();
    await publishNumbers(server.url, 10_000);
    await page.getByRole("button", { name: "Resume (up to 10,000 new)" }).waitFor();
    expect(await shownIds(page)).toEqual(range(1, 5));
    await page.getByRole("button", { name: "Resume" }).click();
    await untilRows(page, "10,005 rows");
    await untilShown(page, 10_005);
    await page.locator(".rows").press("Home");
    await untilShown(page, 1);
    expect((await shownIds(page)).slice(0, 20)).toEqual(range(1, 20));
  });

  test("keeps 100,000 rows, of which only those that can be seen are in the document", async () => {
    await using server = await ServerProcess.start();
    await using dashboard = await openDashboard(server.url);
    const { page, record } = dashboard;
    await page.getByRole("heading", { name: "Nothing yet" }).waitFor();
    for (let batch = 0; batch < 10; batch++) await publishNumbers(server.url, 10_000);
    await publishNumbers(server.url, 500);
    await untilShown(page, 100_500);
    await untilRows(page, "100,000 rows");
    await page.getByText("500 older rows were removed from this page").waitFor();
    for (const part of [0, 0.25, 0.5, 0.75, 1]) {
      const middle = await page.locator(".rows").evaluate((list, part) => {
        list.scrollTop = part * (list.scrollHeight - list.clientHeight);
        return Math.round((list.scrollTop + list.clientHeight / 2) / (list.scrollHeight / 100_000));
      }, part);
      await untilShown(page, 500 + middle);
      expect(await page.locator(".row").count()).toBeLessThan(100);
    }
    expect(record.complaints).toEqual([]);
  });

  test("stays where the user reads while events arrive, and goes to the newest on request", async () => {
    await using server = await ServerProcess.start();
    await publishNumbers(server.url, 200);
    await using dashboard = await openDashboard(server.url);
    const { page } = dashboard;
    await untilShown(page, 200);
    await page.locator(".rows").press("Home");
    await page.getByRole("button", { name: "Newest" }).waitFor();
    await publishNumbers(server.url, 300);
    await untilRows(page, "500 rows");
    expect((await shownIds(page))[0]).toBe(1);
    await page.getByRole("button", { name: "Newest" }).click();
    await untilShown(page, 500);
  });

  test("holds still while an event is open; the address names it, and Back and a reload keep to it", async () => {
    await using server = await ServerProcess.start();
    await publishNumbers(server.url, 300);
    await using dashboard = await openDashboard(server.url);
    const { page } = dashboard;
    await untilShown(page, 300);
    await page.locator("#row-295").click();
    const detail = page.getByRole("article", { name: "Event 295" });
    await detail.waitFor();
    expect(new URL(page.url()).hash).toBe("#/live?event=295");
    const shown = await shownIds(page);
    await publishNumbers(server.url, 500);
    await untilRows(page, "700 rows");
    expect(await shownIds(page)).toEqual(expect.arrayContaining(shown));
    await page.reload();
    await detail.waitFor();
    expect(await page.evaluate(() => location.hash)).toBe("#/live?event=295");
    await page.goBack();
    await detail.waitFor({ state: "detached" });
    await page.goForward();
    await detail.waitFor();
    await page.keyboard.press("Escape");
    await detail.waitFor({ state: "detached" });
    await untilShown(page, 800);
  });

  test("keeps its filter while another view is shown, and Back leads from one filter to the one before", async () => {
    await using server = await ServerProcess.start();
    await publish(server.url, "a.x", 1);
    await publish(server.url, "b.x", 2);
    await using dashboard = await openDashboard(server.url);
    const { page } = dashboard;
    await untilShown(page, 2);
    await page.getByLabel("Pattern").fill("a.*");
    await page.getByLabel("Pattern").press("Enter");
    await untilRows(page, "1 row");
    const views = page.getByRole("navigation", { name: "Views" });
    await views.getByRole("link", { name: "Publish" }).click();
    await views.getByRole("link", { name: "Live" }).click();
    await untilShown(page, 1);
    expect(await page.getByLabel("Pattern").inputValue()).toBe("a.*");
    for (let step = 0; step < 3; step++) await page.goBack();
    await untilRows(page, "2 rows");
  });

  test("filters by pattern and source, and the address says so", async () => {
    await using server = await ServerProcess.start();
    await using dashboard = await openDashboard(server.url, "#/live?pattern=a.*&source=shop");
    const { page } = dashboard;
    await page.getByText("Waiting for events that match").waitFor();
    await publish(server.url, "b.x", 1, "shop");
    await publish(server.url, "a.x", 2, "other");
    await publish(server.url, "a.y", 3, "shop");
    await untilShown(page, 3);
    expect(await shownIds(page)).toEqual([3]);
    await page.getByLabel("Pattern").fill("[a");
    await page.getByLabel("Pattern").press("Enter");
    await page.getByText("A [ must be closed by a ]").waitFor();
    await page.getByRole("heading", { name: "Correct the pattern" }).waitFor();
    expect(await page.getByText("Stopped").count()).toBe(0);
    expect(new URL(page.url()).hash).toBe("#/live?pattern=%5Ba&source=shop");
    await page.getByLabel("Pattern").fill("b.x,a.x");
    await page.getByLabel("Pattern").press("Enter");
    await page.getByText("no topic can match b.x,a.x: write {a,b}").waitFor();
    await page.getByLabel("Pattern").fill("b.*");
    await page.getByLabel("Pattern").press("Enter");
    await untilShown(page, 1);
    expect(await shownIds(page)).toEqual([1]);
  });

  test("shows in its place what retention has removed meanwhile", async () => {
    await using server = await ServerProcess.start(["--max-history", "10"]);
    await publishNumbers(server.url, 5);
    await using dashboard = await openDashboard(server.url);
    const { page } = dashboard;
    await untilShown(page, 5);
    await page.getByRole("button", { name: "Pause" }).click();
    await publishNumbers(server.url, 100);
    await fetch(`${server.url}/api/events/prune`, { method: "POST" });
    await page.getByRole("button", { name: "Resume" }).click();
    await untilShown(page, 105);
    await page.getByText("events 6 to 95 are missing: retention has removed them.").waitFor();
    expect(await shownIds(page)).toEqual([...range(1, 5), ...range(96, 105)]);
  });
});

/** What the list has in the document after a change: its newest row, and its length. */
interface Change {
  readonly newest: number;
  readonly length: number;
}

/** From now on, collects the changes until the list has this many rows: the global `changes` resolves with them. */
const OBSERVE_UNTIL = (length: number): void => {
  const changes = new Promise<Change[]>((resolve) => {
    const seen: Change[] = [];
    new MutationObserver((_, observer) => {
      const rows = [...document.querySelectorAll(".row")];
      const places = rows.map((row) => Number(row.getAttribute("aria-posinset")));
      seen.push({ newest: Math.max(...places), length: Number(rows[0]?.getAttribute("aria-setsize")) });
      if (seen.at(-1)?.length !== length) return;
      observer.disconnect();
      resolve(seen);
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
  Object.assign(globalThis, { changes });
};
