import { expect, test } from "bun:test";
import { connect } from "../../src/client/index.ts";
import { TcpProxy } from "../helpers/proxy.ts";
import { sharedService } from "../helpers/service.ts";
import { failureOf, problem, scriptedServer } from "./failure.ts";

const service = sharedService();

test("publishes an event and returns it", async () => {
  const event = await connect(service.url).publish("orders.created", { total: 1.1 }, { source: "shop" });
  expect(event).toMatchObject({ topic: "orders.created", data: { total: 1.1 }, source: "shop" });
  expect(event.id).toBe(service.bus.head);
  expect(new Date(event.created_at).getTime()).toBeWithin(Date.now() - 60_000, Date.now() + 1000);
  expect(JSON.parse(event.json)).toEqual(JSON.parse(JSON.stringify(event)));
});

test("data that is omitted is null, a source that is omitted is empty", async () => {
  expect(await connect(service.url).publish("a")).toMatchObject({ data: null, source: "" });
});

test("raw data comes back verbatim", async () => {
  const rawData = '{"n":12345678901234567890,"x":1.10,"big":1e400,"a":1,"a":",\\"source\\":\\"x\\"","data":null}';
  const event = await connect(service.url).publishRaw('say."data":x', rawData, { source: '","source":"","data":1' });
  expect(event.rawData).toBe(rawData);
  expect(event.source).toBe('","source":"","data":1');
});

test.each(["", "{", "1 2", '1,"source":"x"'])("raw data that is not JSON is rejected unsent: %p", async (json) => {
  expect((await failureOf(connect(service.url).publishRaw("a", json))).code).toBe("json_invalid");
});

test("data that JSON cannot express is a typed error", async () => {
  expect((await failureOf(connect(service.url).publish("a", 1n))).code).toBe("json_invalid");
});

test.each([
  ["NaN", { total: Number.NaN }],
  ["an infinity", [Number.POSITIVE_INFINITY]],
  ["a function", { f: () => 1 }],
  ["a symbol", { s: Symbol("s") }],
  ["a map", { m: new Map([[1, 2]]) }],
  ["a set", new Set([1])],
  ["undefined in an array", [1, undefined]],
])("data with %s, which JSON would change without a word, is rejected unsent", async (_, data) => {
  const head = service.bus.head;
  expect((await failureOf(connect(service.url).publish("a", data))).code).toBe("json_invalid");
  expect((await failureOf(connect(service.url).publishMany([{ topic: "a", data }]))).code).toBe("json_invalid");
  expect(service.bus.head).toBe(head);
});

test("data with members that are undefined, and with a Date, is what JSON makes of it", async () => {
  const event = await connect(service.url).publish("a", { at: new Date(0), left: undefined });
  expect(event.rawData).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
});

test("an invalid topic is the server's typed error", async () => {
  expect(await failureOf(connect(service.url).publish("a..b"))).toMatchObject({ code: "topic_invalid", status: 400 });
});

test("publishes many at once, with consecutive ids", async () => {
  const head = service.bus.head;
  const many = await connect(service.url).publishMany([
    { topic: "a", data: 1 },
    { topic: "b", source: "s" },
  ]);
  expect(many).toEqual({ count: 2, first_id: head + 1, last_id: head + 2 });
});

test("one invalid event among many is named by its line, and none is published", async () => {
  const head = service.bus.head;
  const error = await failureOf(connect(service.url).publishMany([{ topic: "a" }, { topic: "a b" }]));
  expect(error.problem).toMatchObject({ code: "topic_invalid", line: 2 });
  expect(service.bus.head).toBe(head);
});

test("an event whose response is lost is still published once", async () => {
  using proxy = new TcpProxy(service.url);
  const head = service.bus.head;
  proxy.cutInside('"created_at"');
  const event = await connect(proxy.url).publish("orders.paid", { n: 1 });
  expect(event.id).toBe(head + 1);
  expect(service.bus.head).toBe(head + 1);
  expect(proxy.connections).toBe(2);
});

test("many events whose response is lost are still published once", async () => {
  using proxy = new TcpProxy(service.url);
  const head = service.bus.head;
  proxy.cutAfter(10);
  const many = await connect(proxy.url).publishMany([{ topic: "a" }, { topic: "b" }]);
  expect(many).toEqual({ count: 2, first_id: head + 1, last_id: head + 2 });
  expect(service.bus.head).toBe(head + 2);
});

test("two calls with the same key publish one event", async () => {
  const bus = connect(service.url);
  const first = await bus.publish("a", 1, { idempotencyKey: "order-17" });
  expect((await bus.publish("a", 1, { idempotencyKey: "order-17" })).id).toBe(first.id);
  expect((await failureOf(bus.publish("a", 2, { idempotencyKey: "order-17" }))).code).toBe("idempotency_conflict");
});

test("a server that is briefly away is retried with the same key", async () => {
  using server = scriptedServer(
    () => problem(503, "shutting_down"),
    () => new Response("Bad gateway", { status: 502 }),
    () => new Response('{"id":1,"topic":"a","data":null,"source":"","created_at":"2026-01-01T00:00:00.000Z"}'),
  );
  await connect(server.url).publish("a");
  const keys = new Set(server.requests.map(({ headers }) => headers.get("idempotency-key")));
  expect({ requests: server.requests.length, keys: keys.size }).toEqual({ requests: 3, keys: 1 });
});

test("an error that a retry cannot fix is not retried", async () => {
  using server = scriptedServer(() => problem(507, "storage_full"));
  expect(await failureOf(connect(server.url).publish("a"))).toMatchObject({ code: "storage_full", status: 507 });
  expect(server.requests).toHaveLength(1);
});

test("a pause that the server asks for is not waited out when the call may not take that long", async () => {
  using server = scriptedServer(() => problem(429, "rate_limited", { "Retry-After": "3600" }));
  const error = await failureOf(connect(server.url).publish("a"));
  expect(error).toMatchObject({ code: "rate_limited", retryAfterMs: 3_600_000 });
  expect(server.requests).toHaveLength(1);
});

test("a signal ends the pause between two attempts", async () => {
  const controller = new AbortController();
  using server = scriptedServer(() => {
    setTimeout(() => controller.abort(), 50);
    return problem(429, "rate_limited", { "Retry-After": "20" });
  });
  const error = await failureOf(connect(server.url).publish("a", 1, { signal: controller.signal }));
  expect(error.code).toBe("aborted");
});

test("an answer of something else than an eventbus is a typed error, whatever was asked", async () => {
  for (const body of ["{}", "[1]", "[{}]", '"x"', "null"]) {
    using server = scriptedServer(() => new Response(body, { headers: { "Content-Type": "application/json" } }));
    const bus = connect(server.url);
    for (const call of [bus.publishMany([{ topic: "a" }]), bus.topics(), bus.prune(), bus.stats(), bus.tokens()])
      expect((await failureOf(call)).code).toBe("protocol");
    expect((await failureOf(bus.consumers.list())).code).toBe("protocol");
    expect((await failureOf(bus.consumers.get("a"))).code).toBe("protocol");
  }
});

test("an answer that is not an event is a typed error", async () => {
  using server = scriptedServer(() => new Response("<h1>Welcome</h1>"));
  expect((await failureOf(connect(server.url).publish("a"))).code).toBe("protocol");
});
