import { describe, expect, test } from "bun:test";
import { EventBusError, errorOf } from "../../src/client/errors.ts";
import { problem } from "./failure.ts";

describe("the error of an answer", () => {
  test("has everything that the server said", async () => {
    const error = await errorOf(problem(429, "rate_limited", { "Retry-After": "3" }));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "EventBusError",
      message: "because of rate_limited",
      code: "rate_limited",
      status: 429,
      retryAfterMs: 3000,
      problem: { title: "A title" },
    });
  });

  test.each([
    ["no JSON", "<h1>Bad gateway</h1>"],
    ["nothing", ""],
    ["null", "null"],
    ["another problem", '{"title":"Too big","status":400}'],
    ["a code that is not known", '{"code":"toString","detail":"?"}'],
  ])("that holds %s is told by its status", async (_, body) => {
    expect(await errorOf(new Response(body, { status: 502 }))).toMatchObject({ code: "protocol", status: 502 });
  });

  test.each([
    ["0", 0],
    ["9999999999", 3_600_000],
    ["Mon, 01 Jan 2001 00:00:00 GMT", 0],
    ["soon", undefined],
  ])("with Retry-After: %s is tried again after %p ms", async (header, retryAfterMs) => {
    const error = await errorOf(problem(503, "unavailable", { "Retry-After": header }));
    expect(error.retryAfterMs).toBe(retryAfterMs);
  });

  test("with a date to retry at has the time until then", async () => {
    const date = new Date(Date.now() + 20_000).toUTCString();
    const { retryAfterMs } = await errorOf(problem(503, "unavailable", { "Retry-After": date }));
    expect(retryAfterMs).toBeWithin(10_000, 20_001);
  });
});

test("an error has its cause, if there is one", () => {
  expect("cause" in new EventBusError("closed", "closed")).toBe(false);
  expect(new EventBusError("network", "broken", { cause: 7 }).cause).toBe(7);
});
