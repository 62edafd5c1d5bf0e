import { expect, test } from "bun:test";
import type { Page } from "playwright-core";
import type { DeliveryMessage } from "../../src/protocol/consumer.ts";
import { ServerProcess } from "../client/server-process.ts";
import { violations } from "../helpers/browser.ts";
import { openDashboard } from "../helpers/dashboard.ts";
import { expectOk, publish } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";

describeWith("chromium", "the view of consumers", () => {
  test("makes one for workers, and shows what waits, what was given up and why, and retries it", async () => {
    await using server = await ServerProcess.start();
    await using dashboard = await openDashboard(server.url, "#/consumers");
    const { page, record } = dashboard;
    await page.getByRole("heading", { name: "There are no consumers" }).waitFor();
    await make(page, "bad", "[");
    await page.getByText("must be closed by a ]").waitFor();
    await make(page, "billing", "orders.* users.*");
    await page.getByRole("heading", { name: "billing" }).waitFor();
    await page.getByText("caught up").waitFor();
    await publish(server.url, "orders.created", { total: 7 });
    await page.getByText("no worker takes them").waitFor();
    await giveUp(server.url, "billing");
    await page.getByRole("link", { name: "Dead (1)" }).click();
    await page.getByRole("row", { name: /#1.+orders\.created.+the till is closed/ }).waitFor();
    await page.getByRole("link", { name: "#1" }).click();
    const delivery = page.getByRole("region", { name: "Delivery of event 1" });
    await delivery.getByText("Given up after 1 attempt").waitFor();
    await delivery.getByText("total").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.reload();
    await delivery.getByText("Given up after 1 attempt").waitFor();
    await delivery.getByRole("button", { name: "Retry" }).click();
    await page.getByRole("heading", { name: "Nothing was given up" }).waitFor();
    expect(new URL(page.url()).hash).toBe("#/consumers/billing?tab=dead");
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByText("eventbus consumer set billing").waitFor();
    await page.goBack();
    await page.getByRole("heading", { name: "Nothing was given up" }).waitFor();
    expect(record.complaints.filter((complaint) => !complaint.includes("400"))).toEqual([]);
  });

  test("changes the settings, keeps the place, and asks again for the values of headers", async () => {
    await using server = await ServerProcess.start();
    const url = "http://127.0.0.1:1/hook";
    const push = { url, headers: { Authorization: "Bearer 1" } };
    const path = `${server.url}/api/consumers/hook`;
    await fetch(path, { method: "PUT", body: JSON.stringify({ pattern: ["a.*"], max_attempts: 7, push }) });
    await using dashboard = await openDashboard(server.url, "#/consumers/hook?tab=settings");
    const { page } = dashboard;
    await page.getByRole("link", { name: "Change …" }).click();
    const form = page.getByRole("form", { name: "Change hook" });
    await form.getByLabel("Events of these topics").fill("b.* c.*");
    await form.getByLabel("One after another").selectOption("none");
    await form.getByRole("button", { name: "Save" }).click();
    await form.getByText("push.headers must have values").waitFor();
    await form.getByLabel("Headers").fill("Authorization: Bearer 2");
    expect(await violations(page)).toEqual([]);
    await form.getByRole("button", { name: "Save" }).click();
    await page.getByText("nothing: everything in parallel").waitFor();
    const kept = { max_attempts: 7, place: 0, push: { url, headers: { Authorization: "…" } } };
    expect(await expectOk<object>(await fetch(path))).toMatchObject({
      pattern: ["b.*", "c.*"],
      order: "none",
      ...kept,
    });
  });

  test("shows the attempts of a webhook, its secret once, and pauses, resumes, moves and deletes it", async () => {
    await using server = await ServerProcess.start();
    const statuses = [500, 204];
    using endpoint = Bun.serve({ port: 0, fetch: () => new Response(null, { status: statuses.shift() ?? 204 }) });
    await using dashboard = await openDashboard(server.url, "#/consumers");
    const { page } = dashboard;
    const form = page.getByRole("form", { name: "Create a consumer" });
    await form.getByLabel("Delivered to").selectOption("webhook");
    await form.getByLabel("Address").fill(`http://127.0.0.1:${endpoint.port}/hook`);
    await make(page, "hook", "*");
    const secret = page.getByRole("region", { name: "Signing secret of hook" });
    expect(await secret.locator("pre").textContent()).toStartWith("whsec_");
    await page.getByRole("heading", { name: "No attempts yet" }).waitFor();
    await publish(server.url, "a", { n: 1 });
    await page.getByRole("row", { name: /^#1 500 1 / }).waitFor();
    await page.getByRole("row", { name: /^#1 204 2 / }).waitFor();
    expect(await fitsNarrow(page, "#1234567")).toBe(true);
    await page.getByRole("link", { name: "Failed" }).click();
    await page.getByRole("row", { name: /^#1 204 2 / }).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "#1" }).click();
    const delivery = page.getByRole("region", { name: "Delivery of event 1" });
    expect(await delivery.getByRole("listitem").count()).toBe(2);
    await delivery.getByText("The endpoint answered 500").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await delivery.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("Paused: 0 events will wait").waitFor();
    await page.getByRole("link", { name: "Seek" }).click();
    await page.getByRole("form", { name: "Seek" }).getByLabel("To").selectOption("all");
    await page.getByRole("form", { name: "Seek" }).getByRole("button", { name: "Seek" }).click();
    await page.getByText("Paused: 1 event will wait").waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("caught up").waitFor();
    await page.reload();
    await page.getByText("caught up").waitFor();
    expect(await secret.count()).toBe(0);
    await page.getByRole("link", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete now" }).click();
    await page.getByRole("heading", { name: "There are no consumers" }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { name: "There is no consumer hook" }).waitFor();
  });

  test("lists the state of each, and says what a token without the right needs", async () => {
    await using server = await ServerProcess.start();
    for (const name of ["billing", "mail"]) await put(server.url, name);
    await expectOk(await fetch(`${server.url}/api/consumers/mail/pause`, { method: "POST" }));
    await publish(server.url, "a");
    await using dashboard = await openDashboard(server.url, "#/consumers");
    const { page } = dashboard;
    await page.getByRole("row", { name: /^billing workers behind a topic 1 / }).waitFor();
    await page.getByRole("row", { name: /^mail workers paused a topic 1 / }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 700 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    const root = await tokenOf(server.url, { name: "root", admin: true });
    const worker = await tokenOf(server.url, { name: "worker", consume: ["bill*"] }, root);
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Token").fill(worker);
    await page.keyboard.press("Enter");
    await page.getByText("eventbus token create NAME --monitor").waitFor();
    await page.getByLabel("Name").fill("billing");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("eventbus token create NAME --admin").waitFor();
    await page.goto(`${server.url}/#/consumers/mail`);
    await page.getByText("eventbus token create NAME --consume mail").waitFor();
  });
});

/** Whether an id stays on one line, and the list of attempts within its place, in the narrowest window. */
async function fitsNarrow(page: Page, id: string): Promise<boolean> {
  const usual = page.viewportSize() ?? { width: 1280, height: 800 };
  await page.setViewportSize({ width: 320, height: 700 });
  const fits = await page
    .getByRole("link", { name: "#1" })
    .first()
    .evaluate((link, words) => {
      const [shown, list] = [link.textContent, link.closest(".deliveries")];
      link.textContent = words;
      const holds = link.getClientRects().length === 1 && list !== null && list.scrollWidth <= list.clientWidth;
      link.textContent = shown;
      return holds;
    }, id);
  await page.setViewportSize(usual);
  return fits;
}

async function make(page: Page, name: string, patterns: string): Promise<void> {
  const form = page.getByRole("form", { name: "Create a consumer" });
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Events of these topics").fill(patterns);
  await form.getByRole("button", { name: "Create" }).click();
}

async function put(url: string, name: string, settings: object = {}): Promise<void> {
  const body = JSON.stringify({ pattern: ["a"], ...settings });
  expect((await fetch(`${url}/api/consumers/${name}`, { method: "PUT", body })).ok).toBe(true);
}

/** Takes what there is, and fails it for the last time. */
async function giveUp(url: string, name: string): Promise<void> {
  await put(url, name, { pattern: ["orders.*"], max_attempts: 1 });
  const at = `${url}/api/consumers/${name}`;
  const taken = await expectOk<DeliveryMessage[]>(await fetch(`${at}/take`, { method: "POST" }));
  const deliveries = taken.map(({ delivery }) => delivery);
  const body = JSON.stringify({ deliveries, reason: "the till is closed" });
  await expectOk(await fetch(`${at}/nack`, { method: "POST", body }));
}

/** Creates the token, and returns its secret. */
async function tokenOf(url: string, token: object, by?: string): Promise<string> {
  const headers = by === undefined ? {} : { Authorization: `Bearer ${by}` };
  const response = await fetch(`${url}/api/tokens`, { method: "POST", headers, body: JSON.stringify(token) });
  return ((await response.json()) as { secret: string }).secret;
}
