import { describe, expect, test } from "bun:test";
import { parseRoute, routeTo, routeToConsumer, routeToEvent } from "../../src/dashboard/state/route.ts";

describe("the address of a view", () => {
  test("holds its filters, and comes back as it was", () => {
    const query = { topic: "a.{b,c}*", source: "ä &?#=/", from: "2026-11-23T14:30:00.000Z" };
    expect(parseRoute(routeTo("history", query))).toEqual({ view: "history", id: undefined, name: undefined, query });
  });

  test("leaves out what is empty", () => {
    expect(routeTo("live", { pattern: "", source: undefined })).toBe("#/live");
  });

  test("names an event", () => {
    expect(parseRoute(routeToEvent(42))).toEqual({ view: "event", id: 42, name: undefined, query: {} });
  });

  test("names a consumer", () => {
    const query = { tab: "dead" };
    expect(parseRoute(routeToConsumer("a-b.c_1", query))).toMatchObject({ view: "consumers", name: "a-b.c_1", query });
    expect(parseRoute("#/consumers")).toMatchObject({ view: "consumers", name: undefined });
  });

  test.each(["", "#", "#/", "#/nothing", "#/event/x", "#/event/", "#/event/99999999999999999999"])(
    "is that of the live view when it is %p",
    (hash) => {
      expect(parseRoute(hash)).toMatchObject({ view: "live" });
    },
  );
});
