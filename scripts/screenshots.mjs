// Takes the pictures of the dashboard in docs/screenshots/ from a server that GitHub's own webhook examples are
// published to. With a folder as the argument, every view goes there, light and dark and at every width, to be looked
// at; with names of views after it, only those. Needs Chromium.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { build, program, root, say } from "./toolchain.mjs";

const PORT = Number(process.env.PORT ?? 9871);
const URL = `http://127.0.0.1:${PORT}`;
/** Of the pictures in the documentation. */
const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 360, height: 760 };
/** The widths at which a folder gets every view: telephones, a tablet, a laptop, a large screen. */
const SIZES = [
  [320, 640],
  [390, 844],
  [768, 1024],
  [1280, 800],
  [1920, 1080],
].map(([width, height]) => ({ width, height }));
/** From here on, an event opens beside the list, not over it. */
const MIN_WIDTH_OF_TWO = 1024;
/** For whatever the page does, on a machine that is busy with other things. */
const DEADLINE_MS = 120_000;
/** How long events are published before the first picture, so that curves have something to show. */
const WARM_UP_MS = Number(process.env.WARM_UP_MS ?? 90_000);

const views = {
  live: { hash: "#/live", prepare: openRow },
  history: { hash: "#/history?topic=github.pull_request*" },
  event: { hash: "#/event/40" },
  topics: { hash: "#/topics" },
  consumers: { hash: "#/consumers" },
  consumer: { hash: "#/consumers/accounting-hook", prepare: openAttempt },
  behind: { hash: "#/consumers/review-bot" },
  paused: { hash: "#/consumers/nightly-export" },
  failing: { hash: "#/consumers/old-crm" },
  dead: { hash: "#/consumers/old-crm?tab=dead" },
  settings: { hash: "#/consumers/old-crm?tab=settings" },
  unused: { hash: "#/consumers/audit" },
  publish: { hash: "#/publish", prepare: sendOne },
  tokens: { hash: "#/tokens" },
  health: { hash: "#/health" },
};
const kept = [
  ["live", "light", WIDE],
  ["health", "dark", WIDE],
  ["topics", "light", WIDE],
  ["live", "dark", NARROW],
  ["consumer", "light", WIDE],
];

const [folder, ...only] = process.argv.slice(2);
const target = folder ?? join(root, "docs", "screenshots");
mkdirSync(target, { recursive: true });
await build();
const home = mkdtempSync(join(tmpdir(), "eventbus-screenshots-"));
if (await fetch(`${URL}/healthz`).catch(() => undefined))
  throw new Error(`another server is listening at ${URL}: set PORT`);
const server = spawn(
  program,
  ["--port", String(PORT), "--db", join(home, "eventbus.db"), "--push-allow", "127.0.0.1"],
  { stdio: "ignore" },
);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium" });
try {
  await ready();
  const endpoint = await makeConsumers();
  const publishing = publishFor(WARM_UP_MS * 10);
  const pages = new Map();
  for (const theme of ["light", "dark"]) pages.set(theme, await openPage(theme));
  say(`publishing for ${WARM_UP_MS / 1000} seconds …`);
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  const names = only.length > 0 ? only : Object.keys(views);
  const wanted = folder === undefined ? kept : names.flatMap(allOf);
  for (const [view, theme, size] of wanted) await take(pages.get(theme), view, theme, size);
  publishing.stop();
  endpoint.close();
} finally {
  await browser.close();
  server.kill();
  rmSync(home, { recursive: true, force: true });
}

function allOf(view) {
  return ["light", "dark"].flatMap((theme) => SIZES.map((size) => [view, theme, size]));
}

function nameOf(size) {
  if (size === WIDE) return "wide";
  return size === NARROW ? "narrow" : size.width;
}

async function openPage(theme) {
  const page = await browser.newPage({ viewport: WIDE, colorScheme: theme });
  page.setDefaultTimeout(DEADLINE_MS);
  await page.goto(URL);
  await page.evaluate(() => {
    location.hash = "#/topics";
  });
  return page;
}

async function take(page, view, theme, size) {
  const { hash, prepare } = views[view];
  await page.setViewportSize(size);
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
  await page.waitForTimeout(1200);
  await prepare?.(page, size);
  await page.waitForTimeout(400);
  const name = `${view}-${theme}-${nameOf(size)}.png`;
  writeFileSync(join(target, name), await page.screenshot());
  say(name);
}

async function openRow(page, size) {
  await page.keyboard.press("Escape");
  if (size.width >= MIN_WIDTH_OF_TWO) await page.locator(".row").nth(-6).click();
}

async function openAttempt(page, size) {
  if (size.width >= MIN_WIDTH_OF_TWO) await page.locator(".deliveries tr:has(.bad) a").first().click();
}

/**
 * One for each state: one that posts to an endpoint that fails now and then, one whose endpoint always fails, one that no
 * worker takes from, one that is paused, and one without events.
 */
async function makeConsumers() {
  let requests = 0;
  const endpoint = createServer((request, response) => {
    request.resume().on("end", () => {
      const fails = request.url === "/crm" || requests++ % 9 === 4;
      response.statusCode = fails ? 503 : 204;
      setTimeout(() => response.end(), 10 + ((requests * 37) % 80));
    });
  });
  await new Promise((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${endpoint.address().port}`;
  const push = { url: `${address}/github` };
  const consumers = {
    "accounting-hook": { pattern: ["github.pull_request.*"], order: "none", retry: ["1s"], push },
    "review-bot": { pattern: ["github.issues.*", "github.issue_comment.*"] },
    "old-crm": { pattern: ["github.push"], max_attempts: 2, retry: ["1s"], push: { url: `${address}/crm` } },
    "nightly-export": { pattern: ["github.*"] },
    audit: { pattern: ["audit.*"], push },
  };
  for (const [name, settings] of Object.entries(consumers)) {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify(settings);
    const response = await fetch(`${URL}/api/consumers/${name}`, { method: "PUT", headers, body });
    if (!response.ok) throw new Error(await response.text());
  }
  await fetch(`${URL}/api/consumers/nightly-export/pause`, { method: "POST" });
  return endpoint;
}

async function sendOne(page) {
  await page.getByRole("button", { name: "Publish", exact: true }).click();
}

async function ready() {
  for (;;) {
    const response = await fetch(`${URL}/readyz`).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Publishes the examples again and again, more of them at some times than at others. */
function publishFor(timeMs) {
  const webhooks = readWebhooks();
  const headers = { "Content-Type": "application/json" };
  let at = 0;
  const timer = setInterval(() => {
    const busy = 1 + Math.round(3 + 3 * Math.sin(performance.now() / 7000));
    for (let count = 0; count < busy; count++, at++) {
      // Some topics are much busier than others, as they are in life.
      const { topic, text } = webhooks[Math.floor(webhooks.length * ((at * 0.618034) % 1) ** 3)];
      fetch(`${URL}/api/events/publish/${topic}?source=github`, { method: "POST", headers, body: text }).catch(
        () => {},
      );
    }
  }, 100);
  const end = setTimeout(() => clearInterval(timer), timeMs);
  return {
    stop() {
      clearInterval(timer);
      clearTimeout(end);
    },
  };
}

function readWebhooks() {
  const file = join(root, "node_modules/@octokit/webhooks-examples/api.github.com/index.json");
  return JSON.parse(readFileSync(file, "utf8")).flatMap(({ name, examples }) =>
    examples.map((payload) => {
      const action = "action" in payload ? `.${payload.action}` : "";
      return { topic: `github.${name}${action}`, text: JSON.stringify(payload) };
    }),
  );
}
