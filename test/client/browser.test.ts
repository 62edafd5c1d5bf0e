import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { connect } from "../../src/client/index.ts";
import { launchChromium } from "../helpers/browser.ts";
import { TcpProxy } from "../helpers/proxy.ts";
import { describeWith } from "../helpers/requires.ts";
import { startService } from "../helpers/service.ts";
import { TempFolder } from "../helpers/temp.ts";
import { ServerProcess } from "./server-process.ts";
import { range } from "./take.ts";

declare global {
  /** What the test adds to the page: the client, and what it has received. */
  var eventbus: { connect: typeof connect; received: unknown[]; states: string[] };
}

const ROOT = resolve(import.meta.dir, "../..");
const folder = new TempFolder();
let browser: Browser;

/** A page of the server's own origin that has nothing but the client. */
async function openPage(url: string): Promise<Page> {
  const client = readFileSync(folder.file("client.js"), "utf8");
  const script = `${client}\nglobalThis.eventbus = { connect, received: [], states: [] };`;
  const page = await browser.newPage();
  await page.route(`${url}/page`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto(`${url}/page`);
  await page.addScriptTag({ type: "module", content: script });
  await page.waitForFunction(() => globalThis.eventbus !== undefined);
  return page;
}

/** Subscribes in the page, for as long as the page lives. */
function subscribe(page: Page): Promise<void> {
  return page.evaluate(async () => {
    const { connect, received, states } = globalThis.eventbus;
    const subscription = connect(location.origin).subscribe("n", { onState: ({ kind }) => states.push(kind) });
    await subscription.opened;
    void (async () => {
      for await (const event of subscription) received.push(event.data);
    })();
  });
}

const received = (page: Page) => page.evaluate(() => globalThis.eventbus.received);
const untilReceived = (page: Page, count: number) =>
  page.waitForFunction((wanted) => globalThis.eventbus.received.length >= wanted, count);

describeWith("chromium", "the client in a browser", (chromium) => {
  beforeAll(async () => {
    const options = [join(ROOT, "src/client/index.ts"), "--target=browser", "--outfile", folder.file("client.js")];
    expect(await Bun.spawn([process.execPath, "build", ...options]).exited).toBe(0);
    browser = await launchChromium(chromium);
  });
  afterAll(async () => {
    await browser.close();
    folder[Symbol.dispose]();
  });

  test("a page publishes and receives while the server dies and comes back", async () => {
    await using server = await ServerProcess.start();
    const page = await openPage(server.url);
    await subscribe(page);
    const publishing = page.evaluate(
      async (numbers) => {
        const bus = globalThis.eventbus.connect(location.origin);
        for (const n of numbers) await bus.publish("n", n);
      },
      range(1, 100),
    );
    for (const count of [10, 40]) {
      await untilReceived(page, count);
      await server.kill();
      await server.start();
    }
    await publishing;
    await untilReceived(page, 100);
    expect(await received(page)).toEqual(range(1, 100));
    await page.close();
  });

  test("a page without a network waits until it has one", async () => {
    await using service = await startService({ allowedHosts: ["bus.localhost"] });
    using proxy = new TcpProxy(service.url);
    // Not the loopback address, for which the client ignores what the browser says of its network.
    const page = await openPage(proxy.url.replace("127.0.0.1", "bus.localhost"));
    await subscribe(page);
    await page.context().setOffline(true);
    proxy.cut();
    await service.bus.publish("n", 1);
    await page.waitForFunction(() => globalThis.eventbus.states.at(-1) === "offline");
    expect(await received(page)).toEqual([]);
    await page.context().setOffline(false);
    await untilReceived(page, 1);
    expect(await page.evaluate(() => globalThis.eventbus.states)).toEqual(["open", "offline", "connecting", "open"]);
    await page.close();
  });

  test("a page that does not read holds the server back, and misses nothing", async () => {
    await using service = await startService();
    const page = await openPage(service.url);
    const [first, last] = await page.evaluate(async () => {
      const bus = globalThis.eventbus.connect(location.origin);
      const subscription = bus.subscribe("n");
      await subscription.opened;
      const batch = Array.from({ length: 100 }, () => ({ topic: "n", data: "x".repeat(1000) }));
      let lastId = 0;
      while ((await bus.stats()).subscribers.stream.live === 0);
      while ((await bus.stats()).subscribers.stream.replay === 0) lastId = (await bus.publishMany(batch)).last_id;
      const ids: number[] = [];
      for await (const { id } of subscription) if (ids.push(id) === lastId) break;
      return [ids.findIndex((id, index) => id !== index + 1), ids.at(-1), lastId];
    });
    expect(first).toBe(-1);
    expect(last).toBeGreaterThan(1000);
    await page.close();
  });

  test("a rejected subscription is a typed error, where a WebSocket would give no reason", async () => {
    await using service = await startService();
    const page = await openPage(service.url);
    const error = await page.evaluate(async () => {
      try {
        await globalThis.eventbus.connect(location.origin).subscribe("[a").next();
      } catch (caught) {
        return { ...(caught as object) };
      }
      return undefined;
    });
    expect(error).toMatchObject({ name: "EventBusError", code: "pattern_invalid", status: 400 });
    await page.close();
  });
});
