import { describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { Pushers } from "../../../src/http/push/pushers.ts";
import type { ConsumerInfo, ConsumerWithSecret, PushAttempt } from "../../../src/protocol/consumer.ts";
import { ConsumerBench } from "../../helpers/consumers.ts";
import { Endpoint } from "../../helpers/endpoint.ts";
import { expectOk, expectProblem, publish, publishMany } from "../../helpers/http.ts";
import { until } from "../../helpers/inbox.ts";
import { startService, type TestService } from "../../helpers/service.ts";

function ask(service: TestService, method: string, path: string, body?: object): Promise<Response> {
  const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return fetch(`${service.url}/api/consumers${path}`, init);
}

async function set(service: TestService, url: string, settings: object = {}): Promise<ConsumerWithSecret> {
  const body = { pattern: ["a"], order: "none", retry: ["10ms"], push: { url }, ...settings };
  return (await ask(service, "PUT", "/c", body)).json() as Promise<ConsumerWithSecret>;
}

async function infoOf(service: TestService): Promise<ConsumerInfo> {
  return expectOk(await ask(service, "GET", "/c"));
}

describe("a consumer that pushes", () => {
  test("posts each event as it was published, signed by Standard Webhooks, and acknowledges it by 2xx", async () => {
    await using service = await startService();
    using endpoint = new Endpoint();
    const push = { url: endpoint.url, headers: { Authorization: "Bearer x" } };
    const { secret = "", push: shown } = await set(service, endpoint.url, { push });
    expect(shown).toEqual({ ...push, headers: { Authorization: "…" }, timeout: "15s", concurrency: 8 });
    await fetch(`${service.url}/api/events/publish/a`, { method: "POST", body: '{"n":12345678901234567890}' });
    await endpoint.count(1);
    const [{ headers, body } = { headers: {}, body: "" }] = endpoint.received;
    expect(body).toContain('"data":{"n":12345678901234567890}');
    expect(headers).toMatchObject({ authorization: "Bearer x", "content-type": "application/json; charset=utf-8" });
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({ id: 1 });
    expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
    await until(async () => (await infoOf(service)).lag === 0, "the acknowledgement");
    expect(await infoOf(service)).not.toHaveProperty("secret");
  });

  test("tries again after a failure, under the same id, and gives up in the end", async () => {
    await using service = await startService();
    using endpoint = new Endpoint();
    endpoint.answer = () => new Response("no", { status: 500 });
    await set(service, endpoint.url, { max_attempts: 2 });
    await publish(service.url, "a");
    await until(async () => (await infoOf(service)).dead === 1, "the event to be given up");
    expect(new Set(endpoint.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    const attempts = await expectOk<PushAttempt[]>(await ask(service, "GET", "/c/attempts"));
    expect(attempts).toMatchObject([
      { event_id: 1, attempt: 2, status: 500, error: "the endpoint answered 500" },
      { event_id: 1, attempt: 1, status: 500 },
    ]);
  });

  test("follows no redirect", async () => {
    await using service = await startService();
    using endpoint = new Endpoint();
    using other = new Endpoint();
    endpoint.answer = () => Response.redirect(other.url, 307);
    await set(service, endpoint.url, { max_attempts: 1 });
    await publish(service.url, "a");
    await until(async () => (await infoOf(service)).dead === 1, "the event to be given up");
    expect(other.received).toEqual([]);
    expect((await infoOf(service)).last_error).toContain("redirects are not followed");
  });

  test("is paused by 410, and loses nothing by it", async () => {
    await using service = await startService();
    using endpoint = new Endpoint();
    endpoint.answer = () => new Response(null, { status: 410 });
    await set(service, endpoint.url);
    await publish(service.url, "a");
    await until(async () => (await infoOf(service)).paused, "the pause");
    expect((await infoOf(service)).last_error).toContain("410");
    endpoint.answer = () => new Response();
    await ask(service, "POST", "/c/resume");
    await until(async () => (await infoOf(service)).lag === 0, "the acknowledgement");
    expect(endpoint.ids).toEqual([1, 1]);
    expect(service.errors.splice(0)).toHaveLength(1);
  });

  test("reports 410 once when several requests get it", async () => {
    await using service = await startService();
    using endpoint = new Endpoint();
    const { promise: all, resolve: answer } = Promise.withResolvers<void>();
    endpoint.answer = async () => {
      await all;
      return new Response(null, { status: 410 });
    };
    await set(service, endpoint.url);
    await publishMany(service.url, Array(3).fill({ topic: "a" }));
    await endpoint.count(3);
    answer();
    await until(async () => (await infoOf(service)).retrying === 3, "all three to be put back");
    expect(service.errors.splice(0)).toHaveLength(1);
  });

  test("waits as long as Retry-After says", async () => {
    await using service = await startService();
    using endpoint = new Endpoint();
    endpoint.answer = () => new Response(null, { status: 429, headers: { "Retry-After": "1" } });
    await set(service, endpoint.url);
    await publish(service.url, "a");
    await endpoint.count(1);
    const startMs = performance.now();
    endpoint.answer = () => new Response();
    await publish(service.url, "a");
    await endpoint.count(3);
    expect(performance.now() - startMs).toBeGreaterThan(900);
  });

  test("keeps its backlog when the endpoint fails everything, and resumes when it is back", async () => {
    await using service = await startService();
    using endpoint = new Endpoint();
    endpoint.answer = () => new Response(null, { status: 503 });
    await set(service, endpoint.url, { max_attempts: 2 });
    await publishMany(service.url, Array(50).fill({ topic: "a" }));
    await endpoint.count(9);
    const failed = endpoint.received.length;
    endpoint.answer = () => new Response();
    await until(async () => (await infoOf(service)).lag === 0, "the backlog");
    expect((await infoOf(service)).dead).toBe(0);
    expect(failed).toBeLessThan(20);
  });

  test("does not wait for an endpoint for longer than its timeout, and others go on meanwhile", async () => {
    await using service = await startService();
    using slow = new Endpoint();
    using endpoint = new Endpoint();
    slow.answer = () => new Promise<Response>(() => {});
    await set(service, slow.url, { max_attempts: 1, push: { url: slow.url, timeout: "300ms" } });
    await ask(service, "PUT", "/d", { pattern: ["a"], push: { url: endpoint.url } });
    await publish(service.url, "a");
    await endpoint.count(1);
    await until(async () => (await infoOf(service)).dead === 1, "the event to be given up");
    expect((await infoOf(service)).last_error).toContain("in time");
  });

  test("signs with the old and the new secret after a rotation", async () => {
    await using service = await startService();
    using endpoint = new Endpoint();
    const { secret: before = "" } = await set(service, endpoint.url);
    const rotated = await expectOk<ConsumerWithSecret>(await ask(service, "POST", "/c/rotate-secret"));
    await publish(service.url, "a");
    await endpoint.count(1);
    const [{ headers, body } = { headers: {}, body: "" }] = endpoint.received;
    for (const secret of [before, rotated.secret ?? ""]) expect(new Webhook(secret).verify(body, headers)).toBeTruthy();
    expect(before).not.toBe(rotated.secret);
    expect(await set(service, endpoint.url)).not.toHaveProperty("secret");
  });

  test("posts to no address that is not public, unless it is allowed", async () => {
    await using service = await startService({ host: "0.0.0.0", allowAnonymous: true });
    using endpoint = new Endpoint();
    await set(service, endpoint.url, { max_attempts: 1 });
    await publish(service.url, "a");
    await until(async () => (await infoOf(service)).dead === 1, "the event to be given up");
    expect(endpoint.received).toEqual([]);
    expect((await infoOf(service)).last_error).toContain("--push-allow 127.0.0.1");
    await using other = await startService({ host: "0.0.0.0", allowAnonymous: true, pushAllow: ["127.0.0.0/8"] });
    await set(other, endpoint.url);
    await publish(other.url, "a");
    await endpoint.count(1);
  });

  test("connects to the address that was checked, whatever the name resolves to a moment later", async () => {
    await using bench = new ConsumerBench();
    using endpoint = new Endpoint();
    const answers = [["127.0.0.1"], ["10.0.0.1"]];
    const pushers = new Pushers({
      consumers: bench.consumers,
      rules: { allowed: [], isLoopbackAllowed: true },
      resolve: async () => answers.shift() ?? [],
    });
    const url = endpoint.url.replace("127.0.0.1", "hook.invalid");
    await bench.consumers.set("c", { pattern: ["a"], push: { url } }, undefined);
    await bench.publish("a");
    await endpoint.count(1);
    expect(endpoint.received[0]?.headers["host"]).toBe(new URL(url).host);
    pushers.close();
  });

  test.each(["https://user:secret@example.com/", "ftp://example.com/", "no address", 7])(
    "is refused with the url %p",
    async (url) => {
      await using service = await startService();
      await expectProblem(await ask(service, "PUT", "/c", { pattern: ["a"], push: { url } }), "parameter_invalid");
    },
  );

  test.each([
    { headers: { "webhook-id": "1" } },
    { headers: { Host: "a" } },
    { headers: { "X-A": "a\r\nb" } },
    { headers: [] },
    { timeout: "1h" },
    { timeout: "30s" },
    { concurrency: 0 },
    { uri: "x" },
  ])("is refused with %p", async (more) => {
    await using service = await startService();
    const push = { url: "https://example.com/", ...more };
    await expectProblem(await ask(service, "PUT", "/c", { pattern: ["a"], push }), "parameter_invalid");
  });
});
