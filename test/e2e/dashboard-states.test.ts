import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { ServerProcess } from "../client/server-process.ts";
import { openDashboard, publishNumbers, shownIds, untilInTime } from "../helpers/dashboard.ts";
import { expectOk, publish } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";

const LAST_KNOWN = /No response from the server: .+ This is its last response\./;

const untilLastKnown = (page: Page) =>
  untilInTime(page, () => page.getByText(LAST_KNOWN).isVisible(), "the last response of a server that is away");
const untilDisconnected = (page: Page) => page.getByRole("status").getByText("Disconnected").waitFor();
const untilConnected = (page: Page) => page.getByRole("status").getByText("Connected", { exact: true }).waitFor();

describeWith("chromium", "the views without a server", () => {
  test("history says that the server does not respond, and shows everything when it is back", async () => {
    await using server = await ServerProcess.start();
    await publishNumbers(server.url, 3);
    await using dashboard = await openDashboard(server.url, "#/history");
    const { page } = dashboard;
    await page.getByText("3 events", { exact: true }).waitFor();
    // Before the stop: once the restarted server has answered, the page does not ask again.
    await publishNumbers(server.url, 4);
    await server.stop();
    await untilDisconnected(page);
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("alert").getByRole("heading", { name: "The server does not respond" }).waitFor();
    expect(await page.getByRole("listbox").count()).toBe(0);
    await server.start();
    await page.getByText("7 events", { exact: true }).waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(await shownIds(page)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    await untilConnected(page);
  });

  test("topics say that the server does not respond and show what was known, then everything", async () => {
    await using server = await ServerProcess.start();
    await publishNumbers(server.url, 3, "before");
    await using dashboard = await openDashboard(server.url, "#/topics", { hasClock: true });
    const { page } = dashboard;
    await page.getByRole("row", { name: /^before/ }).waitFor();
    await server.stop();
    await untilDisconnected(page);
    await untilLastKnown(page);
    expect(await page.getByRole("row", { name: /^before 3/ }).count()).toBe(1);
    await server.start();
    await publishNumbers(server.url, 2, "before");
    await publish(server.url, "after", 1);
    await page.getByRole("row", { name: /^after 1/ }).waitFor();
    await page.getByRole("row", { name: /^before 5/ }).waitFor();
    await page.getByText(LAST_KNOWN).waitFor({ state: "detached" });
    await untilConnected(page);
  });

  test("topics and health do not call a bus empty when it does not respond", async () => {
    await using server = await ServerProcess.start();
    await using dashboard = await openDashboard(server.url, "#/topics", { hasClock: true });
    const { page } = dashboard;
    await page.getByRole("heading", { name: "No topics yet" }).waitFor();
    await server.stop();
    await untilLastKnown(page);
    await page.getByRole("link", { name: "Health" }).click();
    await untilLastKnown(page);
    await server.start();
    await page.getByText(LAST_KNOWN).waitFor({ state: "detached" });
  });
});

describeWith("chromium", "a page of history of which the next events were removed", () => {
  test("says so, and continues with the oldest ones that are kept", async () => {
    await using server = await ServerProcess.start(["--max-history", "2"]);
    await publishNumbers(server.url, 5);
    await expectOk(await fetch(`${server.url}/api/events/prune`, { method: "POST" }));
    await using dashboard = await openDashboard(server.url, "#/history?topic=n&after=1");
    const { page } = dashboard;
    await page.getByRole("heading", { name: "Retention has removed the next events" }).waitFor();
    await page.getByRole("link", { name: "Continue from there" }).click();
    await page.getByText("2 events", { exact: true }).waitFor();
    expect(await shownIds(page)).toEqual([4, 5]);
    expect(new URL(page.url()).hash).toBe("#/history?topic=n&after=3");
    await page.goto(`${server.url}/#/history?after=6`);
    await page.getByRole("heading", { name: "This page is not in the history" }).waitFor();
    await page.getByText("the history is a different one").waitFor();
    await page.getByRole("link", { name: "Show all events" }).click();
    await page.getByText("2 events", { exact: true }).waitFor();
  });
});

describeWith("chromium", "the views without an event", () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await ServerProcess.start();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  describe.each([
    ["#/live", "Nothing yet", "Waiting for events that match *. Publish one:"],
    ["#/live?pattern=a.*&source=shop", "Nothing yet", "Waiting for events that match a.* from shop. Publish one:"],
    ["#/history", "History is empty", "Events stay here from the moment they are published"],
    ["#/history?topic=a.*", "No event matches", "No event in the history matches all of these filters"],
    ["#/event/1", "There is no event 1", "no event 1"],
    ["#/topics", "No topics yet", "A topic appears as soon as an event is published to it."],
    ["#/publish", "Sent from this tab", "Nothing yet. What you publish is listed here until the tab is closed."],
  ])("%s", (hash, heading, words) => {
    test("says so, and what to do", async () => {
      await using dashboard = await openDashboard(server.url, hash);
      const view = dashboard.page.getByRole("main");
      await view.getByRole("heading", { name: heading, exact: true }).waitFor();
      expect((await view.textContent())?.replaceAll(/\s+/g, " ")).toContain(words);
      expect(await view.locator(".row").count()).toBe(0);
    });
  });

  test("health shows zeros", async () => {
    await using dashboard = await openDashboard(server.url, "#/health");
    const { page } = dashboard;
    await page.locator("dl.figures").waitFor();
    const facts = await page.locator("dl.figures > div").allTextContents();
    expect(facts.find((fact) => fact.startsWith("Events kept"))).toBe("Events kept0");
    expect(facts.find((fact) => fact.startsWith("Published"))).toBe("Published0since the server started");
    await page.getByRole("figure", { name: "Events kept" }).getByText("kept 0").waitFor();
  });

  test("an empty history leads to the form that publishes", async () => {
    await using dashboard = await openDashboard(server.url, "#/history");
    const { page } = dashboard;
    await page.getByRole("link", { name: "Publish one" }).click();
    await page.getByRole("form", { name: "Publish an event" }).waitFor();
  });
});
