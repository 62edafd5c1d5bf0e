import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import type { EventMessage } from "../../src/protocol/event.ts";
import type { NewToken } from "../../src/protocol/token.ts";
import { Binary } from "../helpers/binary.ts";
import { launchChromium, type PageRecord, violations, watch } from "../helpers/browser.ts";
import { history, publish } from "../helpers/http.ts";
import { callsOf, type OpenApi } from "../helpers/openapi.ts";
import { describeWith } from "../helpers/requires.ts";

const SCREENSHOTS = join(import.meta.dir, "../output");
/** Starting a browser takes a while on a small machine. */
const START_MS = 60_000;

describeWith("chromium", "the docs page, in a real browser", (chromiumPath) => {
  let server: Binary;
  let browser: Browser;
  let page: Page;
  let record: PageRecord;

  beforeAll(async () => {
    server = await Binary.start();
    browser = await launchChromium(chromiumPath);
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    record = watch(page);
    await page.goto(`${server.url}/swagger`);
    await page.locator(".opblock").first().waitFor();
    mkdirSync(SCREENSHOTS, { recursive: true });
  }, START_MS);

  // Many open operations make the page slow.
  afterEach(async () => {
    const summaries = page.locator(".opblock.is-open .opblock-summary-control");
    await summaries.evaluateAll((buttons) => {
      for (const button of buttons) if (button instanceof HTMLElement) button.click();
    });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
  });

  test("shows every route", async () => {
    const document = (await (await fetch(`${server.url}/swagger/json`)).json()) as OpenApi;
    const documented = callsOf(document).map(({ method, path }) => `${method} ${path}`);
    const shown = await page.locator(".opblock-summary").evaluateAll((rows) => {
      const textOf = (row: Element, part: string) => row.querySelector(part)?.textContent?.replaceAll("\u200b", "");
      return rows.map((row) => `${textOf(row, ".opblock-summary-method")} ${textOf(row, ".opblock-summary-path")}`);
    });
    expect(shown.toSorted()).toEqual(documented.toSorted());
    await page.screenshot({ path: join(SCREENSHOTS, "docs-wide.png"), fullPage: true });
  });

  test("publishes with Try it out", async () => {
    const answer = await tryOut(page, "publish");
    const event = JSON.parse(answer.body) as EventMessage;
    expect(answer.status).toBe("200");
    expect(event).toMatchObject({ topic: "orders.created", source: "shop" });
    expect(await history(server.url, "last=1")).toEqual([event]);
    await page.screenshot({ path: join(SCREENSHOTS, "docs-publish.png"), fullPage: true });
  });

  test.each(["history", "event", "topics", "prune", "stats", "healthz", "readyz"])(
    "tries out %s",
    async (operationId) => {
      await publish(server.url, "orders.created");
      expect((await tryOut(page, operationId)).status).toBe("200");
    },
  );

  test.each([
    ["publish", "application/x-ndjson"],
    ["publishTo", "application/json"],
    ["publishTo", "text/plain"],
  ])("tries out %s with a body of %s", async (operationId, mediaType) => {
    const answer = await tryOut(page, operationId, mediaType);
    expect(answer.status).toBe("200");
    expect(JSON.parse(answer.body)).toHaveProperty(mediaType === "application/x-ndjson" ? "count" : "id");
  });

  test("offers no trial of what does not end", async () => {
    for (const operationId of ["stream", "subscribe"]) {
      const operation = await open(page, operationId);
      await operation.locator(".responses-wrapper").waitFor();
      expect(await operation.getByRole("button", { name: "Try it out" }).count()).toBe(0);
    }
  });

  test("links the documents for programs", async () => {
    const links = await page.locator("header a").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    expect(links).toEqual(["./", "swagger/json", "asyncapi.json"]);
    for (const link of links) expect((await fetch(`${server.url}/${link}`)).status).toBe(200);
  });

  test("has nothing that axe objects to, closed, open, and with the dialog for a token", async () => {
    expect(await violations(page)).toEqual([]);
    await (await open(page, "createToken")).locator(".responses-wrapper").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Authorize" }).first().click();
    await page.locator(".modal-ux").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).first().click();
  });

  test("fits a narrow screen", async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    await (await open(page, "publish")).locator(".responses-wrapper").waitFor();
    await page.screenshot({ path: join(SCREENSHOTS, "docs-narrow.png"), fullPage: true });
    expect(await page.evaluate(() => globalThis.document.documentElement.scrollWidth)).toBeLessThanOrEqual(400);
  });

  test("has sent requests only to the server, and logged no errors", () => {
    const elsewhere = record.requests.filter((url) => new URL(url).origin !== server.url && !url.startsWith("data:"));
    expect(elsewhere).toEqual([]);
    expect(record.requests).toContain(`${server.url}/swagger/json`);
    expect(record.complaints).toEqual([]);
  });
});

describeWith("chromium", "the docs page of a server with tokens", (chromiumPath) => {
  test(
    "takes a token, and then calls what it allows",
    async () => {
      await using server = await Binary.start();
      const body = JSON.stringify({ name: "root", admin: true });
      const made = await fetch(`${server.url}/api/tokens`, { method: "POST", body });
      const { secret } = (await made.json()) as NewToken;
      const browser = await launchChromium(chromiumPath);
      try {
        const page = await browser.newPage();
        await page.goto(`${server.url}/swagger`);
        await page.locator(".opblock").first().waitFor();
        expect((await tryOut(page, "stats")).status).toBe("401");
        await page.getByRole("button", { name: "Authorize" }).first().click();
        const dialog = page.locator(".dialog-ux");
        await dialog.getByRole("textbox").first().fill(secret);
        await dialog.getByRole("button", { name: "Authorize" }).first().click();
        await dialog.getByRole("button", { name: "Close" }).last().click();
        for (const operationId of ["tokens", "history"]) {
          expect((await tryOut(page, operationId === "tokens" ? "listTokens" : operationId)).status).toBe("200");
        }
        await (await open(page, "topics")).getByRole("button", { name: "authorization button" }).click();
        await dialog.getByText("Authorized", { exact: true }).first().waitFor();
        expect(page.url()).not.toContain(secret);
      } finally {
        await browser.close();
      }
    },
    START_MS,
  );
});

/** The operation, opened. */
async function open(page: Page, operationId: string): Promise<Locator> {
  const operation = page.locator(`.opblock[id$="-${operationId}"]`);
  await operation.locator(".opblock-summary-control").click();
  return operation;
}

/** What the page shows as the answer when the operation is tried with the proposed values. */
async function tryOut(
  page: Page,
  operationId: string,
  mediaType?: string,
): Promise<{ readonly status: string; readonly body: string }> {
  const operation = await open(page, operationId);
  // Once pressed it stays so, until it is cancelled.
  const start = operation.getByRole("button", { name: /^(Try it out|Cancel)$/ });
  if ((await start.textContent()) !== "Cancel") await start.click();
  if (mediaType !== undefined) await operation.getByLabel("Request content type").selectOption(mediaType);
  const answered = page.waitForResponse((response) => !response.url().includes("/swagger"));
  await operation.getByRole("button", { name: "Execute" }).click();
  await answered;
  const row = operation.locator(".live-responses-table .response");
  await operation.locator(".loading-container").waitFor({ state: "detached" });
  const status = (await row.locator(".response-col_status").textContent()) ?? "";
  return { status: status.trim(), body: (await row.locator(".highlight-code code").first().textContent()) ?? "" };
}
