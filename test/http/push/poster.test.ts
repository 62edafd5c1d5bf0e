import { describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import { Poster } from "../../../src/http/push/poster.ts";
import { Endpoint } from "../../helpers/endpoint.ts";

const rules = { allowed: [], isLoopbackAllowed: true };

/** Resolves every name to this machine, and counts how often. */
function resolver() {
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    return ["127.0.0.1"];
  };
  return { asked, resolve };
}

function posterTo(url: string, { timeoutMs = 60_000, resolve = resolver().resolve, headers = {} } = {}): Poster {
  return new Poster({ push: { url, headers, timeoutMs, concurrency: 8 }, rules, resolve });
}

describe("a poster", () => {
  test("keeps its connection from one request to the next", async () => {
    let connections = 0;
    const server = createServer((request, response) => request.resume().on("end", () => response.end("ok")));
    server.on("connection", () => connections++);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const poster = posterTo(`http://hook.invalid:${port}/`);
    for (let count = 0; count < 20; count++) expect((await poster.post({}, "x")).error).toBeUndefined();
    expect(connections).toBe(1);
    server.closeAllConnections();
    server.close();
  });

  test("resolves a name for each request, and an address for none", async () => {
    using endpoint = new Endpoint();
    const { asked, resolve } = resolver();
    const named = posterTo(endpoint.url.replace("127.0.0.1", "hook.invalid"), { resolve });
    const plain = posterTo(endpoint.url, { resolve });
    for (const poster of [named, plain, named, plain]) await poster.post({}, "x");
    expect(asked).toEqual(["hook.invalid", "hook.invalid"]);
    expect(endpoint.received).toHaveLength(4);
  });

  test("says that it is eventbus, unless the consumer says otherwise", async () => {
    using endpoint = new Endpoint();
    await posterTo(endpoint.url).post({}, "x");
    await posterTo(endpoint.url, { headers: { "user-agent": "Shop/1" } }).post({}, "x");
    expect(endpoint.received.map(({ headers }) => headers["user-agent"])).toEqual(["eventbus", "Shop/1"]);
  });

  test("gives each request all of its time, also after one that took too long", async () => {
    using endpoint = new Endpoint();
    endpoint.answer = () => new Promise<Response>(() => {});
    const poster = posterTo(endpoint.url, { timeoutMs: 2000 });
    expect(await poster.post({}, "x")).toMatchObject({
      status: undefined,
      error: "the endpoint did not answer in time",
    });
    endpoint.answer = async () => {
      await Bun.sleep(50);
      return new Response();
    };
    expect(await poster.post({}, "x")).toMatchObject({ status: 200, error: undefined });
  });

  test("gives a request all of its time while earlier ones run out of theirs", async () => {
    using endpoint = new Endpoint();
    endpoint.answer = () => new Promise<Response>(() => {});
    const poster = posterTo(endpoint.url, { timeoutMs: 600 });
    const first = poster.post({}, "x");
    await Bun.sleep(300);
    const begunMs = performance.now();
    const second = poster.post({}, "x");
    const late = { status: undefined, error: "the endpoint did not answer in time" };
    expect(await Promise.all([first, second])).toMatchObject([late, late]);
    expect(performance.now() - begunMs).toBeGreaterThanOrEqual(599);
  });

  test("abandons what is under way when it is closed", async () => {
    using endpoint = new Endpoint();
    endpoint.answer = () => new Promise<Response>(() => {});
    const poster = posterTo(endpoint.url);
    const outcomes = [poster.post({}, "x"), poster.post({}, "x")];
    await endpoint.count(2);
    poster.close();
    for (const outcome of await Promise.all(outcomes)) expect(outcome.status).toBeUndefined();
  });
});
