import { describe, expect, spyOn, test } from "bun:test";
import { Bus } from "../../../src/bus/bus.ts";
import { BusError } from "../../../src/bus/errors.ts";
import { TrustedProxies } from "../../../src/http/access/proxies.ts";
import { createApp } from "../../../src/http/app.ts";
import { SpareTime } from "../../../src/http/limits/spare-time.ts";
import { SubscriberSlots } from "../../../src/http/limits/subscriber-limits.ts";
import { Waiting } from "../../../src/http/limits/waiting.ts";
import { Streams } from "../../../src/http/stream/streams.ts";
import { Takes } from "../../../src/http/stream/takes.ts";
import type { ErrorCode } from "../../../src/protocol/problem.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { openGate } from "../../helpers/gate.ts";
import { exchange, expectProblem, expectRawProblem, MARKER, post, requestText } from "../../helpers/http.ts";
import { startService } from "../../helpers/service.ts";
import { TestSocket } from "../../helpers/socket.ts";

const LIMITS = { maxBodyBytes: 1000, maxNdjsonBytes: 10_000, maxPatterns: 4, stallMs: 1000 };

/** The routes over a history in which appends end as given; with what the routes reported. */
function appWith(failure: () => Promise<never>, notReady?: BusError) {
  const log = new SqliteEventLog(":memory:");
  spyOn(log, "append").mockImplementation(failure);
  const bus = new Bus(log, { clock: Date.now });
  const errors: unknown[] = [];
  const opened = openGate();
  const limits = {
    ...LIMITS,
    slots: new SubscriberSlots(1),
    spareTime: new SpareTime({ head: () => 0 }),
    waiting: new Waiting(),
  };
  const app = createApp({
    ...opened,
    bus,
    streams: new Streams(bus, limits, opened.gate),
    senderOf: ({ headers }) => new TrustedProxies([]).senderOf(headers, undefined),
    takes: new Takes(opened.gate.guests),
    makeCopy: failure,
    subscribers: () => [],
    service: {
      notReady: () => notReady,
      metrics: { contentType: "text/plain", text: async () => "" },
      stats: () => {
        throw new Error(`secret ${MARKER} of /src/inside.ts`);
      },
    },
    limits,
    version: "0.0.0-test",
    onError: (error) => void errors.push(error),
  });
  const get = async (path: string, init?: RequestInit) => {
    const request = new Request(`http://127.0.0.1${path}`, init);
    try {
      return await app.answer(request, { path, route: app.routes.find(request.method, path) });
    } catch (error) {
      return app.fail(error, request);
    }
  };
  return { errors, get };
}

const publish = { method: "POST", body: '{"topic":"a"}' };
const never = () => Promise.reject(new Error(`secret ${MARKER}`));

describe("a failure inside", () => {
  test("gets a response without any detail, and is reported", async () => {
    const { get, errors } = appWith(never);
    const problem = await expectProblem(await get("/api/events/publish", publish), "internal");
    expect(problem.detail).toBe("the server failed to handle this request");
    expect(errors).toMatchObject([{ message: `secret ${MARKER}` }]);
  });

  test("that is thrown, not rejected, gets the same response", async () => {
    const { get, errors } = appWith(never);
    await expectProblem(await get("/api/stats"), "internal");
    expect(errors).toHaveLength(1);
  });

  const known = [
    ["storage_full", "the disk of the history is full: nothing was published"],
    ["unavailable", "the history could not be written; whether this event was stored is unknown"],
    ["shutting_down", "the server is shutting down"],
  ] as const;
  for (const [code, detail] of known) {
    test(`of the history is answered with ${code}`, async () => {
      const cause = new Error(`secret ${MARKER}`);
      const { get, errors } = appWith(() => Promise.reject(new BusError(code, detail, { cause })));
      expect((await expectProblem(await get("/api/events/publish", publish), code)).detail).toBe(detail);
      expect(errors).toEqual([]);
    });

    test(`that makes the service unready is answered with ${code}`, async () => {
      const { get } = appWith(never, new BusError(code, detail));
      await expectProblem(await get("/readyz"), code);
    });
  }
});

/** One request for each code that needs nothing but a request. */
const requests: readonly (readonly [ErrorCode, string, RequestInit?])[] = [
  ["json_invalid", "/api/events/publish", { method: "POST", body: MARKER }],
  ["topic_invalid", "/api/events/publish", { method: "POST", body: `{"topic":"${MARKER} "}` }],
  ["pattern_invalid", `/api/events/history?topic=${MARKER}[`],
  ["parameter_invalid", `/api/events/history?last=${MARKER}`],
  ["parameter_unknown", "/api/events/history?lats=1"],
  ["origin_forbidden", "/api/events/history", { headers: { Origin: `http://${MARKER}` } }],
  ["not_found", `/${MARKER}`],
  ["not_found", "/api/events/1"],
  ["method_not_allowed", "/api/topics", { method: "DELETE" }],
  ["payload_too_large", "/api/events/publish", { method: "POST", body: MARKER.repeat(100) }],
  [
    "media_type_unsupported",
    "/api/events/publish",
    { method: "POST", body: MARKER, headers: { "Content-Type": MARKER } },
  ],
  ["upgrade_required", "/api/events/subscribe"],
];

describe("a problem is whole, discreet and not to be cached:", () => {
  for (const [code, target, init] of requests) {
    test(`${code} of ${target}`, async () => {
      await using service = await startService({ maxBody: 1024 });
      const response = await fetch(service.url + target, init);
      expect(response.headers.get("cache-control")).toBe("no-store");
      await expectProblem(response, code);
    });
  }

  test("idempotency_conflict", async () => {
    await using service = await startService();
    await post(service.url, { topic: "a" }, { key: "k" });
    await expectProblem(await post(service.url, { topic: "b", data: MARKER }, { key: "k" }), "idempotency_conflict");
  });

  test("cursor_expired", async () => {
    await using service = await startService({ maxHistory: 1 });
    for (const topic of ["a", "b"]) await post(service.url, { topic, data: MARKER });
    await service.bus.prune();
    await expectProblem(await fetch(`${service.url}/api/events/1`), "cursor_expired");
  });

  test("too_many_connections", async () => {
    await using service = await startService({ maxConnections: 1 });
    using _socket = await TestSocket.open(service.url);
    const headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
    const all = [...headers, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
    const answer = await exchange(service.url, requestText("GET /api/events/subscribe", all));
    expect(expectRawProblem(answer, "too_many_connections").limit).toBe(1);
  });
});
