import { describe, expect, test } from "bun:test";
import { parseRoute, routeTo, routeToEvent } from "../../src/dashboard/state/route.ts";

describe("the address of a view", () => {
  test("holds its filters, and comes back as it was", () => {
    const query = { topic: "a.{b,c}*", source: "ä &?#=/", from: "2026-11-23T14:30:00.000Z" };
    expect(parseRoute(routeTo("history", query))).toEqual({ view: "history", id: undefined, query });
  });

  test("leaves out what is empty", () => {
    expect(routeTo("live", { pattern: "", source: undefined })).toBe("#/live");
  });

  test("names an event", () => {
    expect(parseRoute(routeToEvent(42))).toEqual({ view: "event", id: 42, query: {} });
  });

  test.each(["", "#", "#/", "#/nothing", "#/event/x", "#/event/", "#/event/99999999999999999999"])(
    "is that of the live view when it is %p",
    (hash) => {
      expect(parseRoute(hash)).toMatchObject({ view: "live" });
    },
  );
});
