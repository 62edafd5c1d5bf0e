import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser } from "playwright-core";
import { Binary } from "../helpers/binary.ts";
import { launchChromium, watch } from "../helpers/browser.ts";
import { describeWith } from "../helpers/requires.ts";

setDefaultTimeout(30_000);

describeWith("chromium", "the dashboard of the compiled program", (chromium) => {
  let server: Binary;
  let browser: Browser;

  beforeAll(async () => {
    server = await Binary.start();
    browser = await launchChromium(chromium);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  test("shows what curl publishes, and asks nobody but the server", async () => {
    const page = await browser.newPage();
    const record = watch(page);
    await page.goto(`${server.url}/`);
    await page.getByRole("heading", { name: "Nothing yet" }).waitFor();
    const body = '{"topic":"orders.created","data":{"total":1.10}}';
    const curl = Bun.spawn(["curl", "-s", `${server.url}/api/events/publish`, "-d", body], { stdout: "ignore" });
    await page.getByRole("option", { name: "orders.created" }).click();
    expect(await page.getByRole("article").textContent()).toContain("total: 1.10");
    expect(await curl.exited).toBe(0);
    expect(record.requests.filter((url) => new URL(url).origin !== server.url)).toEqual([]);
    expect(record.complaints).toEqual([]);
    await page.close();
  });
});
