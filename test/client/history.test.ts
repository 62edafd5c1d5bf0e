import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type EventBusClient, type HistoryQuery } from "../../src/client/index.ts";
import { startService, type TestService } from "../helpers/service.ts";
import { failureOf } from "./failure.ts";

let service: TestService;
let bus: EventBusClient;

beforeAll(async () => {
  service = await startService();
  bus = connect(service.url);
  await bus.publishMany([
    { topic: "orders.created", data: { n: 1 }, source: "shop" },
    { topic: "users.created", data: { n: 2 } },
    { topic: "orders.paid", data: { n: 3 }, source: "bank" },
  ]);
});
afterAll(() => service[Symbol.asyncDispose]());

describe("history", () => {
  const rows: readonly [string, HistoryQuery, number[]][] = [
    ["everything, newest first", {}, [3, 2, 1]],
    ["the newest", { last: 1 }, [3]],
    ["of a pattern", { topic: "orders.*" }, [3, 1]],
    ["of several patterns", { topic: ["users.*", "*.paid"] }, [3, 2]],
    ["of a source", { source: "shop" }, [1]],
    ["of no source", { source: "" }, [2]],
    ["before an id", { before: 3 }, [2, 1]],
    ["after an id, oldest first", { after: 1 }, [2, 3]],
    ["from a time on", { from: new Date(0) }, [3, 2, 1]],
    ["from a time as text", { from: "2020-01-01T00:00:00Z" }, [3, 2, 1]],
    ["up to a time", { to: new Date(0) }, []],
    [
      "everything together",
      { topic: "*", source: "bank", after: 0, before: 9, last: 5, to: "2999-01-01T00:00:00Z" },
      [3],
    ],
  ];
  test.each(rows)("%s", async (_, query, ids) => {
    expect((await bus.history(query)).map(({ id }) => id)).toEqual(ids);
  });

  test("gives whole events, with their text", async () => {
    const [event] = await bus.history({ last: 1 });
    expect(event).toMatchObject({ id: 3, topic: "orders.paid", data: { n: 3 }, source: "bank", rawData: '{"n":3}' });
  });

  test("rejects a limit out of bounds, and an invalid time", async () => {
    const error = await failureOf(bus.history({ last: 10_001 }));
    expect(error).toMatchObject({ code: "parameter_invalid", problem: { parameter: "last" } });
    expect((await failureOf(bus.history({ from: new Date(Number.NaN) }))).code).toBe("parameter_invalid");
  });

  test("after an event that is followed by a gap says where to continue", async () => {
    await using small = await startService({ maxHistory: 2 });
    await connect(small.url).publishMany(Array(5).fill({ topic: "a" }));
    await small.bus.prune();
    const error = await failureOf(connect(small.url).history({ after: 1 }));
    expect(error).toMatchObject({ code: "cursor_expired", status: 410, problem: { oldest: 4 } });
  });

  test("is ended by its signal", async () => {
    expect((await failureOf(bus.history({ signal: AbortSignal.abort() }))).code).toBe("aborted");
  });
});

test("one event by its id", async () => {
  expect(await bus.event(2)).toMatchObject({ id: 2, topic: "users.created" });
  expect(await failureOf(bus.event(99))).toMatchObject({ code: "not_found", status: 404 });
});

test("topics, of a pattern and of several", async () => {
  const names = async (patterns?: string | string[]) => (await bus.topics(patterns)).map(({ topic }) => topic);
  expect(await names()).toEqual(["orders.created", "orders.paid", "users.created"]);
  expect(await names("users.*")).toEqual(["users.created"]);
  expect(await names(["*.paid", "users.*"])).toEqual(["orders.paid", "users.created"]);
});

test("stats have what their type says", async () => {
  const stats = await bus.stats();
  expect(stats).toMatchObject({
    version: expect.any(String),
    uptime_seconds: expect.any(Number),
    events: { count: 3, first_id: 1, last_id: 3 },
    published: 3,
    published_per_second: expect.any(Number),
    subscribers: { websocket: { live: 0, replay: 0 }, stream: { live: 0, replay: 0 } },
    storage: { used_bytes: expect.any(Number), file_bytes: expect.any(Number) },
    retention: { max_history: 100_000, max_age_ms: null, max_bytes: null, prune_interval_ms: 60_000 },
  });
});
