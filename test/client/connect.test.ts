import { describe, expect, test } from "bun:test";
import { connect, EventBusError } from "../../src/client/index.ts";
import { sharedService } from "../helpers/service.ts";
import { failureOf, problem, scriptedServer } from "./failure.ts";

const service = sharedService();

describe("the address", () => {
  test.each([
    ["http://127.0.0.1:9800", "http://127.0.0.1:9800"],
    ["http://127.0.0.1:9800/", "http://127.0.0.1:9800"],
    ["https://example.org/bus/", "https://example.org/bus"],
    ["https://example.org/bus?a=1#b", "https://example.org/bus"],
    [new URL("http://[::1]:9800/"), "http://[::1]:9800"],
  ])("%s is %s", (url, expected) => {
    expect(connect(url).url).toBe(expected);
  });

  test.each(["127.0.0.1:9800", "ws://127.0.0.1:9800", "", "http://user:secret@127.0.0.1"])("%p is rejected", (url) => {
    expect(() => connect(url)).toThrow(expect.objectContaining({ code: "parameter_invalid" }));
  });

  test("is requested under its base path", async () => {
    using server = scriptedServer(() => Response.json([]));
    await connect(`${server.url}bus/`).topics();
    expect(new URL(server.requests[0]?.url ?? "").pathname).toBe("/bus/api/topics");
  });
});

describe("the token", () => {
  test("is sent as Authorization, by streams too", async () => {
    using server = scriptedServer(() => problem(403, "scope_insufficient"));
    const bus = connect(server.url, { token: "ebt_secret" });
    await failureOf(bus.stats());
    await failureOf(bus.subscribe().next());
    expect(server.requests.map(({ headers }) => headers.get("authorization"))).toEqual([
      "Bearer ebt_secret",
      "Bearer ebt_secret",
    ]);
  });

  test("is requested again before every try", async () => {
    using server = scriptedServer(
      () => problem(503, "unavailable"),
      () => Response.json([]),
    );
    let made = 0;
    await connect(server.url, { token: async () => `ebt_${++made}` }).topics();
    expect(server.requests.map(({ headers }) => headers.get("authorization"))).toEqual([
      "Bearer ebt_1",
      "Bearer ebt_2",
    ]);
  });

  test("that cannot be made or sent is a typed error", async () => {
    const fail = () => Promise.reject(new Error("the vault is closed"));
    expect(await failureOf(connect(service.url, { token: fail }).stats())).toMatchObject({ code: "token_missing" });
    const badToken = connect(service.url, { token: "two\nlines" });
    expect(await failureOf(badToken.stats())).toMatchObject({ code: "parameter_invalid" });
    expect(await failureOf(badToken.subscribe().next())).toMatchObject({ code: "parameter_invalid" });
  });
});

describe("an error", () => {
  test("of the server is complete and typed", async () => {
    const error = await failureOf(connect(service.url).history({ topic: "[a" }));
    expect(error).toBeInstanceOf(EventBusError);
    expect(error).toMatchObject({ name: "EventBusError", code: "pattern_invalid", status: 400 });
    expect(error.problem).toMatchObject({ code: "pattern_invalid", detail: error.message, status: 400 });
    expect(error.problem?.position).toBeNumber();
  });

  test("of a proxy is reported by its status", async () => {
    using server = scriptedServer(() => new Response("<h1>Not here</h1>", { status: 404 }));
    expect(await failureOf(connect(server.url).stats())).toMatchObject({ code: "protocol", status: 404 });
  });

  test("of the network comes when the time is up", async () => {
    const error = await failureOf(connect("http://127.0.0.1:1", { timeoutMs: 400 }).stats());
    expect(error).toMatchObject({ code: "network", status: undefined });
  });

  test("comes for a server that accepts the request and does not respond", async () => {
    using server = scriptedServer(() => new Promise<Response>(() => {}));
    const error = await failureOf(connect(server.url, { timeoutMs: 1000 }).stats());
    expect(error.code).toBe("network");
    expect(server.requests.length).toBe(2);
  });

  test.each([0, -1, Number.NaN, 540_001])("comes for a timeout of %p milliseconds", (timeoutMs) => {
    expect(() => connect(service.url, { timeoutMs })).toThrow(EventBusError);
  });
});

describe("a call", () => {
  test("is ended by its signal", async () => {
    using server = scriptedServer(() => new Promise<Response>(() => {}));
    const controller = new AbortController();
    const call = failureOf(connect(server.url).stats({ signal: controller.signal }));
    controller.abort("enough");
    expect(await call).toMatchObject({ code: "aborted", cause: "enough" });
  });

  test("is ended by closing the client, and so is every later one", async () => {
    using server = scriptedServer(() => new Promise<Response>(() => {}));
    const bus = connect(server.url);
    const call = failureOf(bus.stats());
    bus.close();
    bus.close();
    expect((await call).code).toBe("closed");
    expect((await failureOf(bus.publish("a", 1))).code).toBe("closed");
    expect(await bus.subscribe().next()).toEqual({ done: true, value: undefined });
  });

  test("goes through a custom fetch", async () => {
    const urls: string[] = [];
    const bus = connect(service.url, {
      fetch: (url, init) => {
        urls.push(url);
        return fetch(url, init);
      },
    });
    await bus.stats();
    expect(urls).toEqual([`${service.url}/api/stats`]);
  });
});
