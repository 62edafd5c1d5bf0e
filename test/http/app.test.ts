import { describe, expect, test } from "bun:test";
import { exchange, expectProblem, expectRawProblem, publish, requestText } from "../helpers/http.ts";
import { sharedService } from "../helpers/service.ts";

const service = sharedService();

const addresses = [
  ["/api/events/publish", "POST"],
  ["/api/events/publish/a.b", "POST"],
  ["/api/events/publish/history", "POST"],
  ["/api/events/prune", "POST"],
  ["/api/events/history", "GET, HEAD"],
  ["/api/events/subscribe", "GET, HEAD"],
  ["/api/events/stream", "GET, HEAD"],
  ["/api/events/1", "GET, HEAD"],
  ["/api/events/no-id", "GET, HEAD"],
  ["/api/topics", "GET, HEAD"],
  ["/api/stats", "GET, HEAD"],
  ["/api/subscribers", "GET, HEAD"],
  ["/api/tokens", "GET, HEAD, POST"],
  ["/api/tokens/somebody", "DELETE"],
  ["/healthz", "GET, HEAD"],
  ["/readyz", "GET, HEAD"],
  ["/swagger/json", "GET, HEAD"],
] as const;
const UPGRADE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

describe("a wrong method is rejected with the right ones", () => {
  for (const [path, allow] of addresses) {
    for (const method of methods.filter((one) => !allow.split(", ").includes(one))) {
      test(`${method} ${path}`, async () => {
        const answer = await exchange(
          service.url,
          requestText(`${method} ${path}`, [], method === "HEAD" ? undefined : "{}"),
        );
        expect(answer?.status).toBe(405);
        expect(answer?.headers.get("allow")).toBe(allow);
        if (method === "HEAD") expect(answer?.body).toBe("");
        else expect(expectRawProblem(answer, "method_not_allowed").detail).toBe(`this address accepts ${allow}`);
      });
    }
  }
});

describe("a response is not cached, no browser takes it for a page, and it sets no cookie:", () => {
  const asked = addresses.filter(([, allow]) => allow.startsWith("GET")).map(([path]) => path);
  test.each([...asked, "/metrics", "/api/backup", "/nope"])("%s", async (path) => {
    for (const Accept of ["*/*", "application/x-ndjson"]) {
      const answer = await fetch(service.url + path, { headers: { Accept } });
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("content-type")).not.toContain("html");
      expect(answer.headers.get("set-cookie")).toBeNull();
      await answer.body?.cancel();
    }
  });
});

describe("HEAD", () => {
  for (const path of [
    "/api/events/history",
    "/api/events/1",
    "/api/topics",
    "/healthz",
    "/api/events/history?last=0",
  ]) {
    test(`answers ${path} as GET does, without the body`, async () => {
      await publish(service.url, "a");
      const [get, head] = await Promise.all([
        exchange(service.url, requestText(`GET ${path}`)),
        exchange(service.url, requestText(`HEAD ${path}`)),
      ]);
      expect(head?.status).toBe(get?.status ?? 0);
      for (const name of ["content-type", "content-length"]) {
        expect(head?.headers.get(name)).toBe(get?.headers.get(name) ?? "missing");
      }
      expect(head?.body).toBe("");
    });
  }
});

describe("nothing is found at", () => {
  const nowhere = [
    "/api",
    "/api/",
    "/api/events",
    "/api/events/",
    "/api/events/1/2",
    "/nope",
    "//healthz",
    "/healthz/",
  ];
  for (const path of [...nowhere, "/api/events/publish/", "/API/events/history", "/%68ealthz", "/.env", "/a%00b"]) {
    test(path, async () => {
      const problem = expectRawProblem(await exchange(service.url, requestText(`GET ${path}`)), "not_found");
      expect(problem.detail).toContain("/swagger");
    });
  }
});

describe("the address for WebSockets", () => {
  test("explains how to connect when it is called without an upgrade", async () => {
    const response = await fetch(`${service.url}/api/events/subscribe`);
    expect(response.headers.get("upgrade")).toBe("websocket");
    expect((await expectProblem(response, "upgrade_required")).detail).toContain("ws://");
  });

  const incomplete = [
    ["no key", UPGRADE],
    ["another protocol", ["Upgrade: h2c", "Connection: Upgrade"]],
    ["the keys of Hixie 76", [...UPGRADE.slice(0, 2), "Sec-WebSocket-Key1: 4 @1 46", "Sec-WebSocket-Key2: 12 9"]],
  ] as const;
  for (const [situation, headers] of incomplete) {
    test(`says so when the upgrade has ${situation}`, async () => {
      const answer = await exchange(service.url, requestText("GET /api/events/subscribe", headers));
      expectRawProblem(answer, "upgrade_required");
    });
  }

  test("knows no version before that of RFC 6455", async () => {
    const headers = [...UPGRADE.slice(0, 2), "Sec-WebSocket-Version: 8", KEY];
    const answer = await exchange(service.url, requestText("GET /api/events/subscribe", headers));
    expectRawProblem(answer, "upgrade_required");
    expect(answer?.headers.get("sec-websocket-version")).toBe("13");
  });

  test("compresses nothing, even if a client accepts it", async () => {
    const offer = "Sec-WebSocket-Extensions: permessage-deflate";
    const answer = await exchange(service.url, requestText("GET /api/events/subscribe", [...UPGRADE, KEY, offer]));
    expect(answer?.status).toBe(101);
    expect(answer?.headers.get("sec-websocket-extensions")).toBeNull();
  });

  test("is not upgraded elsewhere", async () => {
    const answer = await exchange(service.url, requestText("GET /api/events/history?last=1", [...UPGRADE, KEY]));
    expect(answer?.status).toBe(200);
  });
});
