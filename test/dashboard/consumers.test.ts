import { describe, expect, test } from "bun:test";
import { optionsOf } from "../../src/dashboard/consumers/consumer-options.ts";
import { goalOf, isProbed, lagOf, stateOf } from "../../src/dashboard/consumers/consumer-state.ts";
import type { WatchedConsumer } from "../../src/dashboard/state/consumer-watch.ts";
import { billing } from "../../src/http/docs/consumers.ts";

const consumer = (state: Partial<WatchedConsumer>): WatchedConsumer => ({
  ...billing,
  lag: 0,
  in_flight: 0,
  retrying: 0,
  rates: [1],
  ...state,
});

describe("the state of a consumer", () => {
  test.each([
    ["paused", { paused: true, retrying: 1 }],
    ["failing", { retrying: 1, lag: 5000 }],
    ["behind", { lag: 1, rates: [1, 0] }],
    ["behind", { lag: 1101, in_flight: 100 }],
    ["working", { lag: 1 }],
    ["behind", { lag: 1, rates: [], acknowledged: 0 }],
    ["working", { lag: 1, rates: [], acknowledged: 1 }],
    ["working", { lag: 3, in_flight: 2, rates: [0] }],
    ["caught up", {}],
  ] as const)("is %s for %p", (state, figures) => {
    expect(stateOf(consumer(figures))).toBe(state);
  });

  test("has a lag that may be a lower bound, and a goal", () => {
    expect(lagOf(consumer({ lag: 1234 }))).toBe("1,234");
    expect(lagOf(consumer({ lag: 1234, lag_is_exact: false }))).toBe("1,234+");
    const push = { url: "https://example.com:8443/hooks", headers: {}, timeout: "15s", concurrency: 8 };
    expect([goalOf(consumer({})), goalOf(consumer({ push }))]).toEqual(["workers", "example.com:8443"]);
  });
});

describe("an endpoint counts as down", () => {
  const attempts = (...names: [eventId: number, attempt: number][]) =>
    names.map(([event_id, attempt]) => ({ event_id, attempt, at: "", status: 503, duration_ms: 1, error: "no" }));

  test.each([
    [
      "when an attempt is listed again, between others",
      [
        [7, 2],
        [9, 1],
        [7, 2],
      ],
      true,
    ],
    [
      "not for attempts that count",
      [
        [7, 3],
        [9, 1],
        [7, 2],
        [7, 1],
      ],
      false,
    ],
    [
      "not for what was long ago",
      [
        [9, 1],
        [10, 1],
        [11, 1],
        [12, 1],
        [7, 1],
        [7, 1],
      ],
      false,
    ],
  ] as const)("%s", (_, names, isDown) => {
    expect(isProbed(attempts(...names.map(([id, attempt]): [number, number] => [id, attempt])))).toBe(isDown);
  });
});

describe("the settings in the form", () => {
  function formOf(fields: Readonly<Record<string, string>>): FormData {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    return form;
  }

  test("leave empty fields to the server", () => {
    const form = formOf({ pattern: " a.*  b ", start: "now", order: "none", goal: "workers", retry: "" });
    expect(optionsOf(form)).toEqual({ pattern: ["a.*", "b"], since: "now", order: "none" });
  });

  test("have numbers, delays, another place and a webhook with its headers", () => {
    const webhook = { goal: "webhook", url: "https://example.com/", headers: "A: b:c\n\n X-D:e ", concurrency: "2" };
    const limits = { max_attempts: "3", max_in_flight: "x", retry: "1s 5s", ack_timeout: "9s" };
    expect(
      optionsOf(formOf({ pattern: "a", start: "other", since: "24h", order: "all", ...webhook, ...limits })),
    ).toEqual({
      pattern: ["a"],
      since: "24h",
      order: "all",
      ack_timeout: "9s",
      max_attempts: 3,
      max_in_flight: 0,
      retry: ["1s", "5s"],
      push: { url: "https://example.com/", headers: { A: "b:c", "X-D": "e" }, concurrency: 2 },
    });
  });
});
