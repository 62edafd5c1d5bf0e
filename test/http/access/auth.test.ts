import { describe, expect, test } from "bun:test";
import type { Access } from "../../../src/bus/access/principal.ts";
import { BusError } from "../../../src/bus/errors.ts";
import type { NewToken } from "../../../src/protocol/token.ts";
import { openEdge } from "../../helpers/edge.ts";
import { exchange, expectOk, expectProblem, publish, RawConnection, requestText } from "../../helpers/http.ts";
import { callsOf, type OpenApi } from "../../helpers/openapi.ts";
import { permissions } from "../../helpers/permissions.ts";
import { startService, type TestService } from "../../helpers/service.ts";
import { TestSocket } from "../../helpers/socket.ts";

interface Asked {
  readonly name?: string;
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly admin?: boolean;
  readonly monitor?: boolean;
  readonly expires_at?: string;
}

/** A service with an admin, who may do everything. */
async function guarded(): Promise<{ service: TestService; admin: string }> {
  const service = await startService();
  const { secret } = await make(service.url, undefined, { name: "root", admin: true });
  return { service, admin: secret };
}

async function make(url: string, by: string | undefined, asked: Asked): Promise<NewToken> {
  const answer = await fetch(`${url}/api/tokens`, {
    method: "POST",
    headers: bearer(by),
    body: JSON.stringify({ name: "shop", ...asked }),
  });
  expect(answer.status).toBe(201);
  return (await answer.json()) as NewToken;
}

function bearer(secret: string | undefined): Record<string, string> {
  return secret === undefined ? {} : { Authorization: `Bearer ${secret}` };
}

function get(url: string, path: string, secret?: string): Promise<Response> {
  return fetch(`${url}${path}`, { headers: bearer(secret) });
}

function send(url: string, topic: string, secret?: string, key?: string): Promise<Response> {
  const headers = { ...bearer(secret), ...(key === undefined ? {} : { "Idempotency-Key": key }) };
  return fetch(`${url}/api/events/publish`, { method: "POST", headers, body: JSON.stringify({ topic }) });
}

/** Who may call a documented route: written out, so that a change of it is seen here. */
function accessOf(method: string, path: string): Access {
  if (["/healthz", "/readyz", "/swagger/json", "/asyncapi.json"].includes(path)) return "public";
  if (path.startsWith("/api/events/publish")) return "publish";
  if (["/metrics", "/api/stats", "/api/topics", "/api/subscribers", "/api/consumers"].includes(path)) return "monitor";
  const worksFor = /^\/api\/consumers\/\{name\}(?:\/(?:take|ack|nack|extend|attempts|dead|dead\/retry))?$/;
  const setsUp = ["PUT", "DELETE"].includes(method) && path.endsWith("}");
  if (worksFor.test(path) && !setsUp) return "consume";
  return path.startsWith("/api/events/") && method === "GET" ? "subscribe" : "admin";
}

describe("with no token", () => {
  test("a bus on loopback is open, whatever is sent along", async () => {
    await using service = await startService();
    await publish(service.url, "a");
    await expectOk(await get(service.url, "/api/stats", "ebt_nothing"));
  });

  test("every route declares who may call it, and enforces it from the first token on", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const document = (await (await fetch(`${service.url}/swagger/json`)).json()) as OpenApi;
    for (const { method, path, operation } of callsOf(document)) {
      const access = accessOf(method, path);
      expect(operation.security).toEqual(access === "public" ? [] : [{ bearer: [] }, { accessToken: [] }]);
      const answer = await fetch(`${service.url}${path.replace(/\{.*\}/, "1")}`, { method });
      const call = `${method} ${path}`;
      expect({ call, isRefused: answer.status === 401 }).toEqual({ call, isRefused: access !== "public" });
      await answer.body?.cancel();
    }
    const seer = await make(service.url, admin, { subscribe: ["*"] });
    const monitor = await make(service.url, admin, { name: "prometheus", monitor: true });
    for (const { method, path } of callsOf(document)) {
      const access = accessOf(method, path);
      if (access === "public") continue;
      const address = `${service.url}${path.replace(/\{.*\}/, "1")}`;
      const wrong = [...(access === "subscribe" ? [] : [seer]), ...(access === "monitor" ? [] : [monitor])];
      for (const { secret } of wrong) {
        const { detail } = await expectProblem(
          await fetch(address, { method, headers: bearer(secret) }),
          "scope_insufficient",
        );
        expect(detail).toContain(`eventbus token create NAME --${access}`);
      }
    }
  });

  test("any caller gets the reason why the server is not ready, and from the first token on only that it is not", async () => {
    const full = new BusError("storage_full", "the disk of the history is full");
    await using edge = openEdge({ notReady: () => full });
    const before = await expectProblem(await get(edge.url, "/readyz"), "storage_full");
    expect(before.detail).toBe(full.message);
    const { secret } = await edge.tokens.create({ ...permissions, name: "root", isAdmin: true });
    for (const one of [undefined, secret]) {
      const { detail } = await expectProblem(await get(edge.url, "/readyz", one), "storage_full");
      expect(detail).toBe("the server cannot accept publishes: see its log");
    }
  });

  test("an unknown path is still not found, and public pages need no token", async () => {
    const { service } = await guarded();
    await using _ = service;
    await expectProblem(await get(service.url, "/nope"), "not_found");
    for (const path of ["/healthz", "/readyz", "/swagger", "/swagger/json", "/swagger/start.js"]) {
      expect((await get(service.url, path)).status).toBe(200);
    }
  });
});

describe("a request without a valid token", () => {
  test("gets a challenge that says how to send one (RFC 6750)", async () => {
    const { service } = await guarded();
    await using _ = service;
    const missing = await get(service.url, "/api/events/history");
    expect(missing.headers.get("www-authenticate")).toBe('Bearer realm="eventbus"');
    await expectProblem(missing, "token_missing");
    const wrong = await get(service.url, "/api/events/history", "ebt_wrong");
    expect(wrong.headers.get("www-authenticate")).toBe('Bearer realm="eventbus", error="invalid_token"');
    await expectProblem(wrong, "token_invalid");
    const basic = await fetch(`${service.url}/api/stats`, { headers: { Authorization: "Basic YTpi" } });
    await expectProblem(basic, "token_missing");
  });

  test("gets neither a WebSocket nor a stream", async () => {
    const { service } = await guarded();
    await using _ = service;
    const upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
    const line = "GET /api/events/subscribe";
    const headers = [...upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
    expect((await exchange(service.url, requestText(line, headers)))?.status).toBe(401);
    await expectProblem(await get(service.url, "/api/events/stream"), "token_missing");
  });
});

describe("a token", () => {
  test("may do what it was created for, and gets an error that names what it may not", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const { secret } = await make(service.url, admin, { publish: ["orders.*"], subscribe: ["prices.*"] });
    await expectOk(await send(service.url, "orders.new", secret));
    const refused = await send(service.url, "prices.new", secret);
    expect(refused.headers.get("www-authenticate")).toBe('Bearer realm="eventbus", error="insufficient_scope"');
    await expectProblem(refused, "scope_insufficient");
    await send(service.url, "prices.new", admin);
    const seen = await expectOk<{ topic: string }[]>(await get(service.url, "/api/events/history", secret));
    expect(seen.map(({ topic }) => topic)).toEqual(["prices.new"]);
    const toPath = { method: "POST", headers: bearer(secret), body: "1" };
    expect((await fetch(`${service.url}/api/events/publish/orders.x`, toPath)).status).toBe(200);
    expect((await fetch(`${service.url}/api/events/publish/prices.x`, toPath)).status).toBe(403);
  });

  test("for an admin allows everything, also beside patterns that are narrower", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const narrow = await make(service.url, admin, { admin: true, publish: ["a.*"], subscribe: ["a.*"] });
    for (const secret of [admin, narrow.secret]) {
      using socket = await TestSocket.open(service.url, "", bearer(secret));
      await expectOk(await send(service.url, "b.x", secret));
      expect(await socket.nextJson()).toMatchObject({ topic: "b.x" });
      expect(await expectOk<object[]>(await get(service.url, "/api/events/history?last=1", secret))).toHaveLength(1);
      for (const path of ["/api/stats", "/api/topics", "/api/tokens", "/metrics", "/api/backup"]) {
        const answer = await get(service.url, path, secret);
        expect({ path, status: answer.status }).toEqual({ path, status: 200 });
        await answer.body?.cancel();
      }
    }
  });

  test("for a monitor allows metrics, stats and topics, and no event by any way", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const { secret } = await make(service.url, admin, { monitor: true });
    for (const path of ["/metrics", "/api/stats", "/api/topics", "/api/subscribers"]) {
      expect((await get(service.url, path, secret)).status).toBe(200);
    }
    for (const path of ["/api/events/history", "/api/events/1", "/api/events/stream", "/api/tokens"]) {
      await expectProblem(await get(service.url, path, secret), "scope_insufficient");
    }
    await expectProblem(await send(service.url, "a", secret), "scope_insufficient");
    expect(TestSocket.open(service.url, "", bearer(secret))).rejects.toThrow("not opened");
  });

  test("publishes many at once or, if it may not publish one of them, none", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const { secret } = await make(service.url, admin, { publish: ["a.*"] });
    const headers = { ...bearer(secret), "Content-Type": "application/x-ndjson" };
    const body = '{"topic":"a.x"}\n{"topic":"b.x"}\n';
    const answer = await fetch(`${service.url}/api/events/publish`, { method: "POST", headers, body });
    await expectProblem(answer, "scope_insufficient");
    expect(service.bus.head).toBe(0);
  });

  test("is taken from the query too, never shows in Link, and is rejected beside a header", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    for (const topic of ["a", "b", "c"]) await send(service.url, topic, admin);
    const page = await fetch(`${service.url}/api/events/history?last=1&access_token=${admin}`);
    const link = page.headers.get("link") ?? "";
    expect(link).toContain("before=3");
    expect(link).not.toContain("access");
    await expectOk(page);
    await expectOk(await fetch(`${service.url}/healthz?access_token=x`));
    const twice = await get(service.url, `/api/stats?access_token=${admin}`, admin);
    expect(twice.headers.get("www-authenticate")).toBe('Bearer realm="eventbus", error="invalid_request"');
    await expectProblem(twice, "parameter_invalid");
    const unknown = await fetch(`${service.url}/api/stats?nope=1&access_token=${admin}`);
    expect(JSON.stringify(await expectProblem(unknown, "parameter_unknown"))).not.toContain(admin);
  });

  test("has idempotency keys of its own", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const a = await make(service.url, admin, { name: "a", publish: ["*"] });
    const b = await make(service.url, admin, { name: "b", publish: ["*"] });
    const first = await expectOk<{ id: number }>(await send(service.url, "t", a.secret, "key"));
    const other = await send(service.url, "t", b.secret, "key");
    expect(other.headers.get("idempotency-replayed")).toBeNull();
    expect((await expectOk<{ id: number }>(other)).id).toBe(first.id + 1);
    const again = await send(service.url, "t", a.secret, "key");
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await expectOk<{ id: number }>(again)).id).toBe(first.id);
  });

  test("that has expired is rejected, and its connections are closed", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const expires_at = new Date(Date.now() + 1500).toISOString();
    const { secret } = await make(service.url, admin, { subscribe: ["*"], expires_at });
    using socket = await TestSocket.open(service.url, `access_token=${secret}`);
    expect(await socket.closed).toMatchObject({ code: 1008 });
    await expectProblem(await get(service.url, "/api/events/history", secret), "token_invalid");
  });

  test("that is revoked is rejected at once, and its connections are closed, others' not", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const { secret } = await make(service.url, admin, { subscribe: ["*"] });
    using socket = await TestSocket.open(service.url, "", bearer(secret));
    using other = await TestSocket.open(service.url, "", bearer(admin));
    const lines = { headers: { ...bearer(secret), Accept: "application/x-ndjson" } };
    const streams = [
      await get(service.url, "/api/events/stream", secret),
      await fetch(`${service.url}/api/events/stream`, lines),
    ];
    const revoked = await fetch(`${service.url}/api/tokens/shop`, { method: "DELETE", headers: bearer(admin) });
    expect(revoked.status).toBe(204);
    expect(await socket.closed).toMatchObject({ code: 1008 });
    for (const stream of streams) expect(await stream.text()).not.toContain("bye");
    await expectProblem(await get(service.url, "/api/events/history", secret), "token_invalid");
    await send(service.url, "a", admin);
    expect(await other.nextJson()).toMatchObject({ topic: "a" });
  });

  test("that is revoked while a body arrives does not publish it", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const { secret } = await make(service.url, admin, { publish: ["*"] });
    using connection = await RawConnection.open(service.url);
    const body = '{"topic":"a"}';
    const text = requestText("POST /api/events/publish", [`Authorization: Bearer ${secret}`], body);
    connection.write(text.slice(0, -3));
    // Once a later request has been answered, the head has been read and the rest is awaited.
    await send(service.url, "marker", admin);
    await fetch(`${service.url}/api/tokens/shop`, { method: "DELETE", headers: bearer(admin) });
    connection.write(text.slice(-3));
    expect((await connection.answer())?.status).toBe(401);
    expect((await service.bus.topics()).map(({ topic }) => topic)).toEqual(["marker"]);
  });

  test("closes, as the first one, the connections that were opened without one", async () => {
    await using service = await startService();
    using socket = await TestSocket.open(service.url);
    await make(service.url, undefined, { admin: true });
    expect(await socket.closed).toMatchObject({ code: 1008 });
  });
});

describe("a WebSocket", () => {
  test("gets what its token may see, and publishes where it may", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const { secret } = await make(service.url, admin, { publish: ["a.*"], subscribe: ["a.*"] });
    using socket = await TestSocket.open(service.url, `pattern=*&access_token=${secret}`);
    const refused = await socket.ask({ type: "publish", ref: 1, topic: "b.x" });
    expect(refused).toMatchObject({ type: "error", ref: 1, code: "scope_insufficient" });
    expect(await socket.ask({ type: "subscribe", ref: 2, pattern: "b.*" })).toEqual({ type: "ack", ref: 2 });
    await send(service.url, "b.x", admin);
    await send(service.url, "a.x", admin);
    expect(await socket.nextJson()).toMatchObject({ topic: "a.x" });
  });

  test("does not get its offered protocols back, which may contain a token", async () => {
    const { service, admin } = await guarded();
    await using _ = service;
    const headers = [
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      `Sec-WebSocket-Protocol: ${admin}`,
      `Authorization: Bearer ${admin}`,
    ];
    const answer = await exchange(service.url, requestText("GET /api/events/subscribe", headers));
    expect(answer?.status).toBe(101);
    expect(answer?.headers.get("sec-websocket-protocol")).toBeNull();
  });
});

describe("a page of another origin", () => {
  test("is rejected even with a token; an allowed one sends its preflight without a token", async () => {
    await using service = await startService({ allowedOrigins: ["https://good.example"] });
    const { secret } = await make(service.url, undefined, { admin: true, publish: ["*"], subscribe: ["*"] });
    const evil = { ...bearer(secret), Origin: "https://evil.example" };
    for (const path of ["/api/events/history", "/api/events/stream"]) {
      await expectProblem(await fetch(`${service.url}${path}`, { headers: evil }), "origin_forbidden");
    }
    const init = { method: "POST", headers: evil, body: '{"topic":"a"}' };
    await expectProblem(await fetch(`${service.url}/api/events/publish`, init), "origin_forbidden");
    expect(TestSocket.open(service.url, "", evil)).rejects.toThrow("not opened");
    const good = { Origin: "https://good.example" };
    const preflight = await fetch(`${service.url}/api/tokens`, { method: "OPTIONS", headers: good });
    expect(preflight.status).toBe(204);
    const refused = await fetch(`${service.url}/api/tokens`, { headers: good });
    expect(refused.headers.get("access-control-allow-origin")).toBe("https://good.example");
    await expectProblem(refused, "token_missing");
  });
});
