import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { launchChromium } from "../helpers/browser.ts";
import { describeWith } from "../helpers/requires.ts";
import { startService } from "../helpers/service.ts";
import { TempFolder } from "../helpers/temp.ts";

const ROOT = resolve(import.meta.dir, "../..");

test("the program in examples prints what it does", async () => {
  await using service = await startService();
  const child = Bun.spawn([process.execPath, join(ROOT, "examples/client.ts")], {
    env: { PATH: process.env["PATH"], EVENTBUS_URL: service.url },
  });
  const said = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  expect(said.split("\n")).toEqual([
    "history  users.created, orders.paid, orders.created",
    "(open)",
    "received orders.created {",
    "  total: 1.1,",
    "}",
    "received orders.paid null",
    "received users.created {",
    '  name: "Ada",',
    "}",
    "(ended)",
    expect.stringMatching(/^refused {2}topic_invalid .+/),
    "",
  ]);
});

describeWith("chromium", "the page in examples", (chromium) => {
  test("shows what is published, also by the page itself", async () => {
    await using service = await startService();
    using folder = new TempFolder();
    const client = folder.file("index.js");
    const options = [join(ROOT, "src/client/index.ts"), "--target=browser", "--outfile", client];
    expect(await Bun.spawn([process.execPath, "build", ...options]).exited).toBe(0);
    const browser = await launchChromium(chromium);
    const page = await browser.newPage();
    const serve = (path: string, file: string, contentType: string) =>
      page.route(
        ({ pathname }) => pathname === path,
        (route) => route.fulfill({ contentType, body: readFileSync(file, "utf8") }),
      );
    await serve("/examples/client.html", join(ROOT, "examples/client.html"), "text/html");
    await serve("/dist/client/index.js", client, "text/javascript");
    await page.goto(`${service.url}/examples/client.html?bus=${service.url}`);
    await page.getByText("open").waitFor();
    await page.getByRole("button").click();
    await page.getByText('page.hello "Hello"').waitFor();
    await service.bus.publish("other", 1);
    await page.getByText("other 1").waitFor();
    expect(await page.locator("li").count()).toBe(2);
    await browser.close();
  });
});
