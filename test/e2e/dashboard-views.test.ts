import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import type { Stats } from "../../src/client/index.ts";
import { ServerProcess } from "../client/server-process.ts";
import { violations } from "../helpers/browser.ts";
import { openDashboard, publishNumbers, ready, shownIds } from "../helpers/dashboard.ts";
import { expectOk, post, publish } from "../helpers/http.ts";
import { RawSubscriber } from "../helpers/raw-web-socket.ts";
import { describeWith } from "../helpers/requires.ts";

const HTML = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

describeWith("chromium", "the views", () => {
  let server: ServerProcess;
  let url = "";
  beforeAll(async () => {
    server = await ServerProcess.start();
    url = server.url;
    await publish(url, "orders.created", { total: 1.5, lines: [{ sku: "a".repeat(300) }], [HTML]: HTML }, HTML);
    await publish(url, `a-very-long-topic.${"x".repeat(200)}`, "y".repeat(2000), "s".repeat(200));
    await publish(url, "<b>bold&amp;<b>", null);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  test("show what looks like HTML as text", async () => {
    await using dashboard = await openDashboard(url, "#/event/1");
    const { page } = dashboard;
    const article = page.getByRole("article");
    await article.waitFor();
    expect(await article.textContent()).toContain(HTML);
    for (const hash of ["#/live", "#/history", "#/topics"]) {
      await page.evaluate((to) => location.assign(to), hash);
      await page.getByText("<b>bold&amp;<b>", { exact: true }).or(page.getByTitle("<b>bold&amp;<b>")).first().waitFor();
    }
    expect(await page.locator("main :is(img, script, b:not(figure b))").count()).toBe(0);
    expect(await page.title()).not.toMatch(/[12]/);
  });

  test("are light or dark as the device is, or as was chosen", async () => {
    await using dashboard = await openDashboard(url, "", { colorScheme: "dark" });
    const { page } = dashboard;
    const lightness = () =>
      page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.documentElement).backgroundColor)?.[0]));
    await ready["#/live"]?.(page);
    expect(await lightness()).toBeLessThan(40);
    await page.getByRole("button", { name: "Colours: as the device" }).click();
    expect(await lightness()).toBeGreaterThan(240);
    await page.reload();
    expect(await lightness()).toBeGreaterThan(240);
    await page.getByRole("button", { name: "Colours: light" }).click();
    expect(await lightness()).toBeLessThan(40);
    await page.getByRole("button", { name: "Colours: dark" }).click();
    await page.emulateMedia({ colorScheme: "light" });
    expect(await lightness()).toBeGreaterThan(240);
  });

  describe("with the keyboard alone", () => {
    test("the live view selects events, opens and closes them, pauses and filters", async () => {
      await using dashboard = await openDashboard(url);
      const { page } = dashboard;
      await ready["#/live"]?.(page);
      await tabTo(page, ".rows");
      await page.keyboard.press("Home");
      await page.getByRole("article", { name: "Event 1" }).waitFor();
      await page.keyboard.press("ArrowDown");
      await page.getByRole("article", { name: "Event 2" }).waitFor();
      await page.keyboard.press("End");
      await page.getByRole("article", { name: "Event 3" }).waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("article").waitFor({ state: "detached" });
      await tabTo(page, "button:text-is('Pause')");
      await page.keyboard.press("Enter");
      await page.getByRole("status").getByText("Paused").waitFor();
      await tabTo(page, "input[name=pattern]");
      await page.keyboard.type("orders.*");
      await page.keyboard.press("Enter");
      await page.getByText("1 row", { exact: true }).waitFor();
    });

    test("the tree of an event opens and closes", async () => {
      await using dashboard = await openDashboard(url, "#/event/1");
      const { page } = dashboard;
      await ready["#/event/1"]?.(page);
      await tabTo(page, ".twist:has-text('lines')");
      await page.keyboard.press("Enter");
      await page.getByText("1 ]").waitFor();
      await tabTo(page, "button:text-is('Collapse')");
      await page.keyboard.press("Enter");
      await page.locator(".twist[aria-expanded=true]").nth(1).waitFor({ state: "detached" });
      await tabTo(page, "button:text-is('Raw')");
      await page.keyboard.press("Enter");
      await page.locator("pre.json").waitFor();
    });

    test("history is searched", async () => {
      await using dashboard = await openDashboard(url, "#/history");
      const { page } = dashboard;
      await ready["#/history"]?.(page);
      await tabTo(page, "input[name=topic]");
      await page.keyboard.type("orders.*");
      await page.keyboard.press("Enter");
      await page.getByText("1 event", { exact: true }).waitFor();
      expect(await shownIds(page)).toEqual([1]);
    });

    test("topics are sorted, found, and lead to their events", async () => {
      await using dashboard = await openDashboard(url, "#/topics");
      const { page } = dashboard;
      await ready["#/topics"]?.(page);
      await tabTo(page, "thead .topic button");
      await page.keyboard.press("Enter");
      await page.locator("th.topic[aria-sort=ascending]").waitFor();
      expect(await page.locator("tbody th").first().textContent()).toBe("<b>bold&amp;<b>");
      await tabTo(page, ".find input");
      await page.keyboard.type("orders");
      await page.getByText("1 topic", { exact: true }).waitFor();
      await tabTo(page, "td.links a:has-text('History')");
      await page.keyboard.press("Enter");
      await page.getByText("1 event", { exact: true }).waitFor();
      expect(new URL(page.url()).hash).toBe("#/history?topic=orders.created");
    });

    test("health shows another span, and the values of a moment in each plot", async () => {
      await using dashboard = await openDashboard(url, "#/health");
      const { page } = dashboard;
      await ready["#/health"]?.(page);
      await tabTo(page, ".choice:text-is('1 h')");
      await page.keyboard.press("Enter");
      await page.locator(".choice[aria-pressed=true]:text-is('1 h')").waitFor();
      expect(new URL(page.url()).hash).toBe("#/health?span=1h");
      // At least two answers of the server, so that there is a moment before the newest.
      await page.locator(".plots [role=slider]:not([aria-valuemax='0'])").first().waitFor();
      for (const title of ["Throughput", "Commits", "Commit duration", "Subscribers", "Storage", "Events kept"]) {
        const plot = page.getByRole("figure", { name: title });
        const slider = plot.getByRole("slider", { name: `${title}, moment` });
        await page.keyboard.press("Tab");
        expect(await slider.evaluate((element) => element === document.activeElement)).toBe(true);
        await page.keyboard.press("Home");
        await plot.locator("[aria-valuenow='0']").waitFor();
        await page.keyboard.press("ArrowRight");
        await plot.locator("[aria-valuenow='1']").waitFor();
        const said = (await slider.getAttribute("aria-valuetext")) ?? "";
        expect(said).toMatch(/^\d\d:\d\d(:\d\d)?: /);
        for (const line of await plot.getByRole("listitem").allTextContents()) expect(said).toContain(line);
      }
    });

    test("an event is published, and the fault in its data is found", async () => {
      await using own = await ServerProcess.start();
      await using dashboard = await openDashboard(own.url, "#/publish");
      const { page } = dashboard;
      await tabTo(page, "input[name=topic]");
      await page.keyboard.type("typed.topic");
      await tabTo(page, "textarea");
      await page.keyboard.press("Control+A");
      await page.keyboard.type('{"a": 1.10,\n"b" 2}');
      await page.getByText("Line 2, column 5: colon expected").waitFor();
      await tabTo(page, "button:text-is('Show')");
      await page.keyboard.press("Enter");
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.type(":");
      await page.getByText("Valid JSON").waitFor();
      await page.keyboard.press("Control+Enter");
      await page.getByText("Published as").waitFor();
      const event = await (await fetch(`${own.url}/api/events/1`)).text();
      expect(event).toStartWith('{"id":1,"topic":"typed.topic","data":{"a": 1.10,"b" :2},"source":"dashboard"');
      await page.reload();
      await page.getByRole("region", { name: "Sent from this tab" }).getByRole("link", { name: "#1" }).waitFor();
    });
  });

  test("history shows a range, says at its field what is wrong with one, and names the open event in the address", async () => {
    await using own = await ServerProcess.start();
    await publishNumbers(own.url, 5);
    await using dashboard = await openDashboard(own.url, "#/history", { timezoneId: "Asia/Tokyo" });
    const { page } = dashboard;
    await page.locator("#row-5").waitFor();
    await page.getByText("Time, Asia/Tokyo").waitFor();
    await page.getByLabel("When").selectOption("Last hour");
    await page.getByRole("button", { name: "Search" }).click();
    await page.locator("#row-5").waitFor();
    expect(new URL(page.url()).hash).toBe("#/history?from=1h");
    await page.locator("#row-3").click();
    const detail = page.getByRole("article", { name: "Event 3" });
    const { created_at } = JSON.parse(await textOf(`${own.url}/api/events/3`)) as { created_at: string };
    await detail.getByText(created_at, { exact: true }).waitFor();
    await detail.getByText("Asia/Tokyo").waitFor();
    expect(new URL(page.url()).hash).toBe("#/history?from=1h&event=3");
    await page.reload();
    await detail.waitFor();
    await page.getByLabel("When").selectOption("Between …");
    await page.getByLabel("From").fill("2026-01-02T00:00:00");
    await page.getByLabel("To", { exact: true }).fill("2026-01-01T00:00:00");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByText("From must not be after to.").waitFor();
    expect(await page.getByLabel("From").getAttribute("aria-invalid")).toBe("true");
  });

  test("JSON is searched, and shown as text, and the address keeps both", async () => {
    await using own = await ServerProcess.start();
    const lines = Array.from({ length: 300 }, (_, index) => ({ sku: `item-${index}`, deep: { note: "plain" } }));
    await publish(own.url, "a.b", { order: { lines }, last: "Item-299 again" });
    await using dashboard = await openDashboard(own.url, "#/history?event=1");
    const { page } = dashboard;
    await page.getByLabel("Find", { exact: true }).fill("item-299");
    await page.getByText("1 of 2").waitFor();
    expect(await page.locator(".json mark").allTextContents()).toEqual(["item-299", "Item-299"]);
    await page.keyboard.press("Enter");
    await page.getByText("2 of 2").waitFor();
    expect(await page.locator(".json mark.current").textContent()).toBe("Item-299");
    await page.getByRole("button", { name: "Raw" }).click();
    await page.locator("pre.json").waitFor();
    expect(new URL(page.url()).hash).toBe("#/history?event=1&find=item-299&json=raw");
    await page.reload();
    await page.locator("pre.json mark").first().waitFor();
    await page.getByLabel("Find", { exact: true }).fill("nowhere");
    await page.getByText("not found").waitFor();
    await page.getByText("1 event", { exact: true }).waitFor();
  });

  test("health names the subscribers, the one that does not read first, and why", async () => {
    await using own = await ServerProcess.start();
    using slow = await RawSubscriber.open(own.url, "pattern=big.*");
    slow.pause();
    await using dashboard = await openDashboard(own.url, "#/health");
    const { page } = dashboard;
    const list = page.getByRole("region", { name: "List of subscribers" });
    await list
      .getByRole("row", { name: /127\.0\.0\.1.*live/ })
      .first()
      .waitFor();
    const isSlow = () => list.getByRole("row", { name: "slow: has not read what was sent" });
    const padding = "x".repeat(1_000_000);
    const { websocket } = await subscribersOf(own.url);
    expect(websocket.replay).toBe(0);
    // Until the kernels' buffers are full.
    while ((await subscribersOf(own.url)).websocket.replay === 0) await publish(own.url, "big.one", padding);
    await isSlow().waitFor();
    expect(await list.locator("tbody tr").first().textContent()).toContain("big.*");
    expect(await violations(page)).toEqual([]);
  });

  test("an event is opened again in the form that publishes", async () => {
    await using own = await ServerProcess.start();
    await publish(own.url, "a.b", { n: 1 }, "shop");
    await using dashboard = await openDashboard(own.url, "#/event/1");
    const { page } = dashboard;
    await page.getByRole("link", { name: "Publish again" }).click();
    await page.getByRole("button", { name: "Publish", exact: true }).waitFor();
    expect(await page.getByLabel("Topic").inputValue()).toBe("a.b");
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByText("Published as").waitFor();
    expect(JSON.parse(await textOf(`${own.url}/api/events/2`))).toMatchObject({ data: { n: 1 }, source: "shop" });
  });

  test("a publish that gets no answer can be cancelled, and is not sent later", async () => {
    await using own = await ServerProcess.start();
    await using dashboard = await openDashboard(own.url, "#/publish");
    const { page } = dashboard;
    await page.getByRole("button", { name: "Publish", exact: true }).waitFor();
    await own.stop();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByText("No answer yet: still trying").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled.").waitFor();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByText("No answer yet: still trying").waitFor();
    await page.getByRole("link", { name: "Live", exact: true }).click();
    await own.start();
    await page.getByRole("status").getByText("Connected").waitFor();
    const { id } = await publish(own.url, "marker");
    expect(id).toBe(1);
  });

  test("history has pages, each with an address", async () => {
    await using own = await ServerProcess.start();
    await publishNumbers(own.url, 450);
    await using dashboard = await openDashboard(own.url, "#/history?topic=n");
    const { page } = dashboard;
    await page.locator("#row-450").waitFor();
    await page.getByRole("link", { name: "Older" }).click();
    await page.locator("#row-250").waitFor();
    expect(new URL(page.url()).hash).toBe("#/history?topic=n&before=251");
    await page.getByRole("link", { name: "Older" }).click();
    await page.getByText("50 events").waitFor();
    expect(await page.getByRole("link", { name: "Older" }).count()).toBe(0);
    await page.getByRole("link", { name: "← Newer" }).click();
    await page.locator("#row-250").waitFor();
    await page.goBack();
    await page.getByText("50 events").waitFor();
  });

  test.each([
    [
      "with everything that a shell could interpret",
      `{"a": 1.10, "b'": "$HOME \`id\` \\"!\\\\ %s @é😀", "c": 12345678901234567890}`,
    ],
    ["longer than an argument may be", JSON.stringify("it's long ".repeat(20_000))],
  ])("an event %s is copied as a command that publishes it again", async (_, data) => {
    await using own = await ServerProcess.start();
    await expectOk(await post(own.url, `{"topic":"it's.$HOME","data":${data},"source":"'\\\\n"}`));
    await using dashboard = await openDashboard(own.url, "#/event/1", {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    const { page } = dashboard;
    await page.getByRole("button", { name: "Copy as curl (publishes it again)" }).click();
    await page.getByText("Copied").waitFor();
    const command = await page.evaluate(() => navigator.clipboard.readText());
    const shell = Bun.spawn(["bash"], { stdin: Buffer.from(`${command}\n`), stdout: "ignore", stderr: "ignore" });
    expect(await shell.exited).toBe(0);
    const [first, second] = await Promise.all([1, 2].map((id) => textOf(`${own.url}/api/events/${id}`)));
    expect(second?.replace('"id":2', '"id":1').replace(TIME, "")).toBe(first?.replace(TIME, ""));
    expect(first).toContain(data);
  });
});

async function subscribersOf(url: string): Promise<Stats["subscribers"]> {
  return (await expectOk<Stats>(await fetch(`${url}/api/stats`))).subscribers;
}

const TIME = /"created_at":"[^"]*"/;

async function textOf(address: string): Promise<string> {
  return (await fetch(address)).text();
}

/** Presses Tab until the element has the focus. */
async function tabTo(page: Page, selector: string): Promise<void> {
  const target = page.locator(selector).first();
  await target.waitFor();
  for (let presses = 0; presses < 100; presses++) {
    await page.keyboard.press("Tab");
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`Tab never comes to ${selector}`);
}
