import { describe, expect, test } from "bun:test";
import { type EdgeOptions, openEdge } from "../../helpers/edge.ts";
import {
  exchange,
  expectOk,
  expectProblem,
  expectRawProblem,
  post,
  publish,
  publishMany,
  RawConnection,
  requestText,
} from "../../helpers/http.ts";
import { permissions } from "../../helpers/permissions.ts";
import { HANDSHAKE } from "../../helpers/raw-web-socket.ts";
import { TestSocket } from "../../helpers/socket.ts";

/** A server, and the limits that were reached in it. */
function openLimited(options: EdgeOptions = {}) {
  const struck: string[] = [];
  return { edge: openEdge({ ...options, onLimit: (limit) => void struck.push(limit) }), struck };
}

const SUBSCRIBE = "GET /api/events/subscribe";

describe("a limit is reported when it is reached", () => {
  test("connections", async () => {
    const { edge, struck } = openLimited({ maxConnections: 1 });
    await using _ = edge;
    using _first = await TestSocket.open(edge.url);
    using connection = await RawConnection.open(edge.url);
    connection.write(requestText(SUBSCRIBE, HANDSHAKE));
    expectRawProblem(await connection.answer(), "too_many_connections");
    await connection.closed();
    await expectProblem(await fetch(`${edge.url}/api/events/stream`), "too_many_connections");
    expect(struck).toEqual(["connections", "connections"]);
  });

  test("patterns, before the upgrade and in a frame", async () => {
    const { edge, struck } = openLimited({ maxPatterns: 1 });
    await using _ = edge;
    expectRawProblem(
      await exchange(edge.url, requestText(`${SUBSCRIBE}?pattern=a&pattern=b`, HANDSHAKE)),
      "parameter_invalid",
    );
    using socket = await TestSocket.open(edge.url, "pattern=a");
    const answer = await socket.ask({ type: "subscribe", pattern: "b" });
    expect(answer).toMatchObject({ type: "error", code: "parameter_invalid", limit: 1 });
    expect(struck).toEqual(["patterns", "patterns"]);
  });

  test("the size of a body", async () => {
    const { edge, struck } = openLimited();
    await using _ = edge;
    await expectProblem(await post(edge.url, "x".repeat(2 ** 20 + 1)), "payload_too_large");
    expect(struck).toEqual(["body"]);
  });

  test("the size of a frame", async () => {
    const { edge, struck } = openLimited();
    await using _ = edge;
    using socket = await TestSocket.open(edge.url);
    socket.send("x".repeat(2 ** 20 + 1));
    expect((await socket.closed).code).toBe(1009);
    expect(struck).toEqual(["frame"]);
  });

  test("not for other errors", async () => {
    const { edge, struck } = openLimited();
    await using _ = edge;
    await expectProblem(await fetch(`${edge.url}/api/events/history?last=0`), "parameter_invalid");
    expect(struck).toEqual([]);
  });
});

describe("the rate of publishing", () => {
  test("is rejected over HTTP with the time to wait", async () => {
    const { edge, struck } = openLimited({ rateLimit: 2 });
    await using _ = edge;
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(edge.url, { topic: "a" })));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) {
      expect(answer.headers.get("retry-after")).toBe("1");
      expect((await expectProblem(answer, "rate_limited")).limit).toBe(2);
    }
    expect(struck).toEqual(Array(refused.length).fill("rate"));
    expect(edge.bus.head).toBe(20 - refused.length);
  });

  test("counts the lines of NDJSON", async () => {
    const { edge } = openLimited({ rateLimit: 3 });
    await using _ = edge;
    await publishMany(edge.url, Array(3).fill({ topic: "a" }));
    const lines = '{"topic":"a"}\n'.repeat(3);
    await expectProblem(await post(edge.url, lines, { type: "application/x-ndjson" }), "rate_limited");
    expect(edge.bus.head).toBe(3);
  });

  test.each([1, 3])("rejects a body that could never pass, and asks for no repeat: over %d", async (rateLimit) => {
    const { edge } = openLimited({ rateLimit });
    await using _ = edge;
    const lines = '{"topic":"a"}\n'.repeat(rateLimit + 1);
    const answer = await post(edge.url, lines, { type: "application/x-ndjson" });
    expect(answer.headers.get("retry-after")).toBeNull();
    const problem = await expectProblem(answer, "payload_too_large");
    expect(problem).toMatchObject({ limit: rateLimit, detail: expect.stringContaining("published per second") });
    expect(edge.bus.head).toBe(0);
  });

  test("counts data with the topic in the path", async () => {
    const { edge, struck } = openLimited({ rateLimit: 1 });
    await using _ = edge;
    const send = () => fetch(`${edge.url}/api/events/publish/a`, { method: "POST", body: "1" });
    await Promise.all(Array.from({ length: 10 }, send));
    expect(struck).toContain("rate");
  });

  test("counts frames with those of HTTP, and leaves the WebSocket open", async () => {
    const { edge } = openLimited({ rateLimit: 1 });
    await using _ = edge;
    using socket = await TestSocket.open(edge.url, "pattern=none");
    for (let ref = 1; ref <= 10; ref++) socket.send({ type: "publish", ref, topic: "a" });
    const answers = [];
    for (let ref = 1; ref <= 10; ref++) answers.push(await socket.nextJson());
    expect(answers[0]).toMatchObject({ type: "ack", ref: 1 });
    expect(answers).toContainEqual(expect.objectContaining({ type: "error", code: "rate_limited", limit: 1 }));
    expect(await socket.ask({ type: "ping" })).toEqual({ type: "pong" });
  });

  test("is unlimited when no limit is set", async () => {
    const { edge } = openLimited();
    await using _ = edge;
    const answers = await Promise.all(Array.from({ length: 200 }, () => post(edge.url, { topic: "a" })));
    for (const answer of answers) await expectOk(answer);
  });
});

describe("the rate of publishing with tokens", () => {
  const NAMES = ["root", "shop"];

  /** A server that takes one event a second of each token, and the headers of two that come from one address. */
  async function openWithTokens() {
    const edge = openEdge({ rateLimit: 1 });
    const make = async (name: string) => {
      const { secret } = await edge.tokens.create({ ...permissions, name, isAdmin: true });
      return { Authorization: `Bearer ${secret}` };
    };
    const [first = {}, second = {}] = await Promise.all(NAMES.map(make));
    return { edge, first, second, make };
  }

  function send(url: string, headers: Record<string, string>): Promise<Response> {
    return fetch(`${url}/api/events/publish/a`, { method: "POST", headers, body: "1" });
  }

  test("is separate for each token over HTTP, although the address is the same", async () => {
    const { edge, first, second } = await openWithTokens();
    await using _ = edge;
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(edge.url, first)));
    expect(answers.map(({ status }) => status)).toContain(429);
    await expectOk(await send(edge.url, second));
  });

  test("is separate for each token over WebSockets, although the address is the same", async () => {
    const { edge, first, second } = await openWithTokens();
    await using _ = edge;
    using busy = await TestSocket.open(edge.url, "pattern=none", first);
    for (let ref = 1; ref <= 20; ref++) busy.send({ type: "publish", ref, topic: "a" });
    const answers = [];
    for (let ref = 1; ref <= 20; ref++) answers.push(await busy.nextJson());
    expect(answers).toContainEqual(expect.objectContaining({ type: "error", code: "rate_limited", limit: 1 }));
    using other = await TestSocket.open(edge.url, "pattern=none", second);
    expect(await other.ask({ type: "publish", topic: "a" })).toMatchObject({ type: "ack" });
  });

  test("is the same over HTTP and a WebSocket", async () => {
    const { edge, make } = await openWithTokens();
    await using _ = edge;
    const statuses: number[] = [];
    // A new token has a second's worth: if the two were counted separately, its first request would always pass.
    for (let attempt = 1; attempt <= 10 && !statuses.includes(429); attempt++) {
      const token = await make(`token-${attempt}`);
      using socket = await TestSocket.open(edge.url, "pattern=none", token);
      expect(await socket.ask({ type: "publish", topic: "a" })).toMatchObject({ type: "ack" });
      statuses.push((await send(edge.url, token)).status);
    }
    expect(statuses).toContain(429);
  });
});

describe("a request head", () => {
  test.each([
    ["of 16 KiB", [`X: ${"x".repeat(16 * 1024)}`], 431],
    ["of less", [`X: ${"x".repeat(15 * 1024)}`], 200],
    ["with 250 fields", Array.from({ length: 250 }, (_, index) => `X${index}: 1`), 431],
    ["with 120 fields", Array.from({ length: 120 }, (_, index) => `X${index}: 1`), 400],
    ["with 90 fields", Array.from({ length: 90 }, (_, index) => `X${index}: 1`), 200],
  ])("%s", async (_, headers, status) => {
    await using edge = openEdge();
    expect((await exchange(edge.url, requestText("GET /healthz", headers)))?.status).toBe(status);
  });

  test("with too many fields gets the reason, and is counted", async () => {
    const { edge, struck } = openLimited();
    await using _ = edge;
    const headers = new Headers(Array.from({ length: 120 }, (_, index) => [`x-${index}`, "1"]));
    const problem = await expectProblem(await fetch(`${edge.url}/healthz`, { headers }), "parameter_invalid");
    expect([problem.parameter, problem.limit]).toEqual(["headers", 100]);
    expect(struck).toEqual(["headers"]);
  });

  test("with a long address", async () => {
    await using edge = openEdge();
    expect((await exchange(edge.url, requestText(`GET /${"a".repeat(16 * 1024)}`)))?.status).toBe(431);
  });
});

test("a request that arrives too slowly is disconnected, however far it has come, and a body is counted", async () => {
  const { edge, struck } = openLimited({ idleTimeoutS: 5 });
  await using _ = edge;
  const requests = [
    ["GET /healthz HTTP/1.1\r\n", "a: b\r\n"],
    [`${requestText("GET /healthz")}GET /healthz HTTP/1.1\r\n`, "a: b\r\n"],
    [requestText("POST /api/events/publish", ["Content-Length: 1000"], "{"), "x"],
    [requestText("POST /api/events/publish", ["Transfer-Encoding: chunked"]), "1\r\nx\r\n"],
    ["", ""],
  ] as const;
  const cut = requests.map(async ([text, drop]) => {
    using connection = await RawConnection.open(edge.url);
    if (text !== "") connection.write(text);
    const dripping = setInterval(() => drop !== "" && connection.write(drop), 500);
    await connection.closed();
    clearInterval(dripping);
  });
  await Promise.all(cut);
  expect(struck).toEqual(["request_time", "request_time"]);
});

describe("a WebSocket whose peer is gone", () => {
  /** A handshake on a connection that never answers a ping. */
  async function openMute(url: string): Promise<RawConnection> {
    const connection = await RawConnection.open(url);
    connection.write(requestText(`${SUBSCRIBE}?pattern=*`, HANDSHAKE));
    expect((await connection.answer())?.status).toBe(101);
    return connection;
  }

  test("is disconnected when it is idle", async () => {
    const { edge, struck } = openLimited({ pingMs: 100 });
    await using _ = edge;
    using connection = await openMute(edge.url);
    await connection.closed();
    while (edge.subscribers > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(struck).toEqual(["silence"]);
  });

  test("is disconnected among many lost ones, some of which are checked each time", async () => {
    const { edge, struck } = openLimited({ pingMs: 100 });
    await using _ = edge;
    const connections = await Promise.all(Array.from({ length: 40 }, () => openMute(edge.url)));
    await Promise.all(connections.map((connection) => connection.closed()));
    while (edge.subscribers > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(struck).toEqual(connections.map(() => "silence"));
  });

  test("is not taken for gone because the server itself was suspended", async () => {
    const { edge, struck } = openLimited({ pingMs: 1000 });
    await using _ = edge;
    using socket = await TestSocket.open(edge.url);
    await edge.bus.publish("a", 1);
    await socket.nextJson();
    Bun.sleepSync(2500);
    const { id } = await publish(edge.url, "marker");
    expect((await socket.nextJson<{ id: number }>()).id).toBe(id);
    expect(struck).toEqual([]);
  });

  test("is disconnected while messages flow to it, and one that responds stays", async () => {
    const { edge, struck } = openLimited({ pingMs: 200 });
    await using _ = edge;
    using socket = await TestSocket.open(edge.url);
    using connection = await openMute(edge.url);
    const flow = setInterval(() => void edge.bus.publish("a", 1), 20);
    await connection.closed();
    clearInterval(flow);
    expect(struck).toEqual(["silence"]);
    const { id } = await publish(edge.url, "marker");
    for (let last = 0; last < id; ) last = (await socket.nextJson<{ id: number }>()).id;
  });
});
