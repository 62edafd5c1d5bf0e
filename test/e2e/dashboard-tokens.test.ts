import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { ServerProcess } from "../client/server-process.ts";
import { violations } from "../helpers/browser.ts";
import { openDashboard, shownIds } from "../helpers/dashboard.ts";
import { publish } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";

describeWith("chromium", "the dashboard of a server with tokens", () => {
  let server: ServerProcess;
  let admin = "";
  let reader = "";
  beforeAll(async () => {
    server = await ServerProcess.start();
    await publish(server.url, "secret.plan", 1);
    await publish(server.url, "orders.created", 2);
    admin = await createToken({ name: "root", admin: true });
    reader = await createToken({ name: "reader", subscribe: ["orders.*"], publish: [] });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  /** Creates the token, and returns its secret. */
  async function createToken(token: object): Promise<string> {
    const headers = admin === "" ? {} : { Authorization: `Bearer ${admin}` };
    const body = JSON.stringify(token);
    const response = await fetch(`${server.url}/api/tokens`, { method: "POST", headers, body });
    return ((await response.json()) as { secret: string }).secret;
  }

  const stored = (page: Page, which: "localStorage" | "sessionStorage") =>
    page.evaluate((name) => JSON.stringify({ ...globalThis[name] }), which);

  test("asks for a token, keeps it in the tab alone, and forgets it", async () => {
    await using dashboard = await openDashboard(server.url);
    const { page, record } = dashboard;
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("heading", { name: "Enter a token" }).waitFor();
    await dialog.getByLabel("Token").fill("ebt_bad");
    await page.keyboard.press("Enter");
    await dialog.getByRole("heading", { name: "This token is not valid" }).waitFor();
    await dialog.getByLabel("Token").fill(admin);
    await page.keyboard.press("Enter");
    await page.locator("#row-2").waitFor();
    await page.setViewportSize({ width: 360, height: 700 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    expect([page.url(), ...record.requests].filter((address) => address.includes(admin))).toEqual([]);
    expect(await stored(page, "localStorage")).not.toContain(admin);
    await page.reload();
    await page.locator("#row-2").waitFor();
    await page.getByRole("button", { name: "Forget token" }).click();
    await dialog.getByRole("heading", { name: "Enter a token" }).waitFor();
    expect(await stored(page, "sessionStorage")).not.toContain(admin);
  });

  test("continues where it was, when another token is given in place of one that was revoked", async () => {
    const first = await createToken({ name: "first", subscribe: ["*"], publish: [] });
    await using dashboard = await openDashboard(server.url);
    const { page } = dashboard;
    await enter(page, first);
    await page.locator("#row-2").waitFor();
    const headers = { Authorization: `Bearer ${admin}` };
    await fetch(`${server.url}/api/tokens/first`, { method: "DELETE", headers });
    await page.getByRole("dialog").getByRole("heading", { name: "This token is not valid" }).waitFor();
    await fetch(`${server.url}/api/events/publish`, { method: "POST", headers, body: '{"topic":"orders.paid"}' });
    await enter(page, admin);
    await page.locator("#row-3").waitFor();
    expect(await shownIds(page)).toEqual([1, 2, 3]);
  });

  test("shows what a token may see, and says kindly what it may not", async () => {
    await using dashboard = await openDashboard(server.url, "#/topics");
    const { page } = dashboard;
    await enter(page, reader);
    await page.getByRole("heading", { name: "Topics require a monitor token" }).waitFor();
    await page.getByRole("link", { name: "Health" }).click();
    await page.getByRole("heading", { name: "Health requires a monitor token" }).waitFor();
    await page.getByRole("link", { name: "Tokens" }).click();
    await page.getByText("eventbus token create NAME --admin").waitFor();
    for (const [view, list] of [
      ["Live", "Live events"],
      ["History", "Events, newest first"],
    ] as const) {
      await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: view }).click();
      await page.getByRole("listbox", { name: list }).locator("#row-2").waitFor();
      expect(await shownIds(page)).not.toContain(1);
    }
    await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "Publish" }).click();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByRole("status").getByText("token").waitFor();
  });
});

describeWith("chromium", "the view of tokens", () => {
  test("makes the first one and uses it, makes others, shows each secret once, and revokes", async () => {
    await using server = await ServerProcess.start();
    await using dashboard = await openDashboard(server.url, "#/tokens");
    const { page, record } = dashboard;
    await page.getByRole("heading", { name: "There are no tokens" }).waitFor();
    await make(page, "root");
    const root = await secretOf(page, "root");
    await page.getByRole("row", { name: "root everything never" }).waitFor();
    await make(page, "shop", "orders.* prices.*");
    const shop = await secretOf(page, "shop");
    await page.getByRole("row", { name: "shop publish orders.* prices.* never" }).waitFor();
    expect(await violations(page)).toEqual([]);
    expect((await fetch(`${server.url}/api/stats`, { headers: { Authorization: `Bearer ${root}` } })).status).toBe(200);
    await make(page, "bad", "[");
    await page.getByText("must be closed by a ]").waitFor();
    await page.reload();
    await page.getByRole("row", { name: "shop" }).waitFor();
    expect(await page.content()).not.toContain(shop);
    await page.getByRole("button", { name: "Revoke shop" }).click();
    await page.getByRole("button", { name: "Revoke now shop" }).click();
    await page.getByRole("row", { name: "shop" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Revoke root" }).click();
    await page.getByRole("button", { name: "Revoke now root" }).click();
    await page.getByText("This is the last valid admin token").waitFor();
    expect(record.requests.filter((address) => address.includes(root) || address.includes(shop))).toEqual([]);
  });
});

async function make(page: Page, name: string, publish?: string): Promise<void> {
  const form = page.getByRole("form", { name: "Create a token" });
  await form.getByLabel("Name").fill(name);
  if (publish !== undefined) await form.getByLabel("Publish to").fill(publish);
  await form.getByRole("button", { name: "Create" }).click();
}

async function secretOf(page: Page, name: string): Promise<string> {
  return (
    (await page
      .getByRole("region", { name: `Secret of ${name}` })
      .locator("pre")
      .textContent()) ?? ""
  );
}

async function enter(page: Page, token: string): Promise<void> {
  await page.getByRole("dialog").getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
}
