import { describe, expect, test } from "bun:test";
import { sharedService } from "../../helpers/service.ts";

const ORIGIN = "https://shop.example";
const service = sharedService({ allowedOrigins: [ORIGIN] });
const ask = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
  fetch(`${service.url}${path}`, { ...init, headers: { Origin: ORIGIN, ...init.headers } });

describe("a page of an allowed origin", () => {
  test("is allowed by a preflight", async () => {
    const headers = { "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key" };
    const answer = await ask("/api/events/publish", { method: "OPTIONS", headers });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(answer.headers.get("access-control-allow-methods")).toContain("POST");
    expect(answer.headers.get("access-control-allow-headers")?.toLowerCase()).toContain("idempotency-key");
  });

  test.each(["traceparent, baggage", "x-request-id,authorization", "content-type"])(
    "may send the headers %s",
    async (names) => {
      const headers = { "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": names };
      const answer = await ask("/api/events/publish", { method: "OPTIONS", headers });
      expect(answer.headers.get("access-control-allow-headers")).toBe(names);
      expect(answer.headers.get("vary")).toContain("Access-Control-Request-Headers");
    },
  );

  test("gets back no header names that are invalid", async () => {
    const headers = { "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "a b, <c>" };
    const answer = await ask("/api/events/publish", { method: "OPTIONS", headers });
    expect([answer.status, answer.headers.get("access-control-allow-headers")]).toEqual([204, null]);
  });

  test("may publish, and read the answer and its headers", async () => {
    const answer = await ask("/api/events/publish/a", { method: "POST", body: "1" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(answer.headers.get("access-control-expose-headers")).toContain("Link");
    expect(answer.headers.get("vary")).toBe("Origin");
  });

  for (const path of ["/api/events/history?last=0", "/nowhere", "/api/events/subscribe"]) {
    test(`may read what was wrong with ${path}`, async () => {
      const answer = await ask(path);
      expect(answer.ok).toBe(false);
      expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    });
  }

  test("may read a stream", async () => {
    const answer = await ask("/api/events/stream");
    expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    await answer.body?.cancel();
  });
});

test("no other page is allowed anything", async () => {
  const answer = await fetch(`${service.url}/healthz`, { headers: { Origin: "https://evil.example" } });
  expect(answer.status).toBe(403);
  expect(answer.headers.get("access-control-allow-origin")).toBeNull();
});

test("a response to a client that is no page of another origin has no CORS headers", async () => {
  const answer = await fetch(`${service.url}/healthz`);
  expect(answer.headers.get("access-control-allow-origin")).toBeNull();
});

describe("HEAD", () => {
  for (const path of ["/healthz", "/api/events/history", "/api/topics", "/swagger"]) {
    test(`of ${path} is GET without the body`, async () => {
      const [head, get] = [await fetch(service.url + path, { method: "HEAD" }), await fetch(service.url + path)];
      expect(head.status).toBe(get.status);
      expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"));
      expect(await head.text()).toBe("");
    });
  }

  test("of a stream ends, and takes no subscriber's place", async () => {
    const head = await fetch(`${service.url}/api/events/stream`, { method: "HEAD" });
    expect(head.headers.get("content-type")).toContain("text/event-stream");
    const { subscribers } = await (await fetch(`${service.url}/api/stats`)).json();
    expect(subscribers.stream).toEqual({ live: 0, replay: 0 });
  });
});
