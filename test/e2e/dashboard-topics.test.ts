import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page, Response } from "playwright-core";
import { ServerProcess } from "../client/server-process.ts";
import { type Dashboard, openDashboard, untilInTime } from "../helpers/dashboard.ts";
import { publish, publishMany } from "../helpers/http.ts";
import { until } from "../helpers/inbox.ts";
import { describeWith } from "../helpers/requires.ts";

const TOPICS = 5000;
const PAGE = 1000;
const KINDS = ["alarm", "state"];
const nameOf = (index: number) => `device.${String(index).padStart(4, "0")}.${KINDS[index % 2]}`;

describeWith("chromium", "the view of 5,000 topics", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await ServerProcess.start();
    const topics = Array.from({ length: TOPICS }, (_, index) => ({ topic: nameOf(index) }));
    await publishMany(server.url, topics);
    await publish(server.url, nameOf(500), "the newest");
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const open = (hash = "#/topics"): Promise<Dashboard> => openDashboard(server.url, hash, { hasClock: true });
  const find = (page: Page) => page.getByLabel("Find");

  test("begins with the first page by name, says that there are more, and asks for no more than that", async () => {
    await using dashboard = await open();
    const { page } = dashboard;
    const answers: Response[] = [];
    page.on("response", (response) => void (response.url().includes("/api/topics") && answers.push(response)));
    await page.getByText("The first 1,000 topics, by name; there are more.").waitFor();
    expect(await namesIn(page)).toEqual(firstNames(await namesIn(page), 0));
    await untilInTime(page, async () => answers.length > 1, "another question");
    const lengths = await Promise.all(answers.map(async (answer) => (await answer.json()).length));
    expect(new Set(lengths)).toEqual(new Set([PAGE + 1]));
  });

  test("shows the whole page as the user scrolls", async () => {
    await using dashboard = await open();
    const { page } = dashboard;
    await page.getByRole("table").waitFor();
    await until(async () => {
      await page.locator("tbody tr").last().scrollIntoViewIfNeeded();
      return (await page.locator("tbody tr").count()) === PAGE;
    }, "every line");
    expect(await namesIn(page)).toEqual(firstNames(Array(PAGE), 0));
  });

  test("leads to the next page, and back; the address says which it is", async () => {
    await using dashboard = await open();
    const { page } = dashboard;
    await page.getByRole("link", { name: "Next 1,000 →" }).click();
    await page.getByText(`1,000 topics after ${nameOf(PAGE - 1)}, by name; there are more.`).waitFor();
    expect((await namesIn(page))[0]).toBe(nameOf(PAGE));
    await page.reload();
    await page.getByText(`1,000 topics after ${nameOf(PAGE - 1)}, by name`).waitFor();
    await page.goBack();
    await page.getByText("The first 1,000 topics, by name").waitFor();
    await page.goForward();
    await page.getByRole("link", { name: "First" }).click();
    await page.getByText("The first 1,000 topics, by name").waitFor();
  });

  test("says so on the last page", async () => {
    await using dashboard = await open(`#/topics?after=${nameOf(TOPICS - 3)}`);
    const { page } = dashboard;
    await page.getByText(`2 topics after ${nameOf(TOPICS - 3)}, by name.`, { exact: true }).waitFor();
    expect(await namesIn(page)).toEqual([nameOf(TOPICS - 2), nameOf(TOPICS - 1)]);
    expect(await page.getByRole("link", { name: /^Next/ }).count()).toBe(0);
  });

  test("says what is sorted when it is not by name", async () => {
    await using dashboard = await open();
    const { page } = dashboard;
    await page.getByRole("button", { name: "Last event" }).click();
    await page.getByText("Only these are sorted.").waitFor();
    expect((await namesIn(page))[0]).toBe(nameOf(500));
    expect(new URL(page.url()).hash).toBe("#/topics?sort=last");
    await page.reload();
    await page.getByText("Only these are sorted.").waitFor();
  });

  test("finds a part anywhere, and a pattern of the whole topic, on all pages", async () => {
    await using dashboard = await open();
    const { page } = dashboard;
    await page.getByRole("table").waitFor();
    await find(page).fill("4321");
    await page.getByText("1 topic", { exact: true }).waitFor();
    expect(await namesIn(page)).toEqual([nameOf(4321)]);
    await find(page).fill("device.49??.alarm");
    await page.getByText("50 topics", { exact: true }).waitFor();
    await find(page).fill("device.*.state");
    await page.getByText("The first 1,000 topics that match, by name; there are more.").waitFor();
    expect(new URL(page.url()).hash).toBe("#/topics?find=device.*.state");
    await page.reload();
    await page.getByText("The first 1,000 topics that match, by name").waitFor();
    expect(await find(page).inputValue()).toBe("device.*.state");
    await find(page).fill("");
    await page.getByText("The first 1,000 topics, by name").waitFor();
  });

  test("says what is wrong with a pattern, beside the field", async () => {
    await using dashboard = await open();
    const { page } = dashboard;
    await page.getByRole("table").waitFor();
    await find(page).fill("device.[0");
    await page.getByText("A [ must be closed by a ]").waitFor();
    expect(await page.getByRole("table").count()).toBe(0);
    await find(page).fill("device.[01]*");
    await page.getByText("The first 1,000 topics that match, by name").waitFor();
    expect(await page.getByText("must be closed").count()).toBe(0);
  });

  test("says that nothing matches, and shows all again", async () => {
    await using dashboard = await open("#/topics?find=nothing");
    const { page } = dashboard;
    await page.getByRole("heading", { name: "No topic matches" }).waitFor();
    await page.getByRole("link", { name: "Show all topics" }).click();
    await page.getByText("The first 1,000 topics, by name").waitFor();
    expect(await find(page).inputValue()).toBe("");
  });
});

async function namesIn(page: Page): Promise<string[]> {
  return page.locator("tbody th").allTextContents();
}

/** The names from number `from` on, as many as are shown. */
function firstNames(shown: readonly unknown[], from: number): string[] {
  return Array.from(shown, (_, index) => nameOf(from + index));
}
