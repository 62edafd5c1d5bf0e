import { describe, expect, test } from "bun:test";
import type { ConsumerInfo, DeadEvent, DeliveryMessage, Settled } from "../../../src/protocol/consumer.ts";
import { expectOk, expectProblem, publish } from "../../helpers/http.ts";
import { startService, type TestService } from "../../helpers/service.ts";

function ask(service: Pick<TestService, "url">, method: string, path: string, body?: unknown, secret?: string) {
  const headers: Record<string, string> = secret === undefined ? {} : { Authorization: `Bearer ${secret}` };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return fetch(`${service.url}/api/consumers${path}`, init);
}

async function take(service: TestService, name: string, query = ""): Promise<DeliveryMessage[]> {
  return expectOk(await ask(service, "POST", `/${name}/take?${query}`));
}

async function ack(service: TestService, name: string, ...deliveries: string[]): Promise<Settled> {
  return expectOk(await ask(service, "POST", `/${name}/ack`, { deliveries }));
}

function namesOf(taken: readonly DeliveryMessage[]): string[] {
  return taken.map(({ delivery }) => delivery);
}

describe("/api/consumers", () => {
  test("creates, changes, lists and deletes consumers", async () => {
    await using service = await startService();
    const made = await ask(service, "PUT", "/billing", { pattern: ["orders.*"], ack_timeout: "1m", retry: ["90s"] });
    expect(made.status).toBe(201);
    const billing = (await made.json()) as ConsumerInfo;
    expect(billing).toEqual({
      name: "billing",
      pattern: ["orders.*"],
      order: "topic",
      ack_timeout: "1m",
      max_attempts: 10,
      retry: ["90s"],
      max_in_flight: 1000,
      push: null,
      place: 0,
      lag: 0,
      lag_is_exact: true,
      in_flight: 0,
      retrying: 0,
      dead: 0,
      oldest_unacked_at: null,
      paused: false,
      last_error: null,
      gaps: 0,
      acknowledged: 0,
      failed: 0,
    });
    const changed = await ask(service, "PUT", "/billing", { pattern: ["orders.*"], order: "none" });
    expect(await expectOk<ConsumerInfo>(changed)).toMatchObject({ order: "none", retry: ["1s", "10s", "1m", "10m"] });
    expect(await expectOk<ConsumerInfo[]>(await ask(service, "GET", ""))).toHaveLength(1);
    expect((await ask(service, "DELETE", "/billing")).status).toBe(204);
    await expectProblem(await ask(service, "GET", "/billing"), "not_found");
    await expectProblem(await ask(service, "DELETE", "/billing"), "not_found");
  });

  test.each([
    [{}, "parameter_invalid"],
    [{ pattern: [] }, "parameter_invalid"],
    [{ pattern: ["[a"] }, "pattern_invalid"],
    [{ pattern: ["a"], order: "random" }, "parameter_invalid"],
    [{ pattern: ["a"], ack_timeout: "0s" }, "parameter_invalid"],
    [{ pattern: ["a"], ack_timeout: 30 }, "parameter_invalid"],
    [{ pattern: ["a"], max_attempts: 0 }, "parameter_invalid"],
    [{ pattern: ["a"], retry: [] }, "parameter_invalid"],
    [{ pattern: ["a"], max_in_flight: 100_001 }, "parameter_invalid"],
    [{ pattern: ["a"], since: 7 }, "parameter_invalid"],
    [{ patern: ["a"] }, "parameter_unknown"],
  ] as const)("does not create one from %p", async (settings, code) => {
    await using service = await startService();
    await expectProblem(await ask(service, "PUT", "/c", settings), code);
    expect(await expectOk<ConsumerInfo[]>(await ask(service, "GET", ""))).toEqual([]);
  });

  test("hands events out as they were published, until they are acknowledged", async () => {
    await using service = await startService();
    await ask(service, "PUT", "/c", { pattern: ["a"], order: "none" });
    await fetch(`${service.url}/api/events/publish/a`, {
      method: "POST",
      body: '{"b": 1.10, "n": 12345678901234567890}',
    });
    const response = await ask(service, "POST", "/c/take");
    const text = await response.text();
    expect(text).toContain('"attempt":1,"event":{"id":1,"topic":"a","data":{"b": 1.10, "n": 12345678901234567890},');
    const names = namesOf(JSON.parse(text));
    expect(await take(service, "c")).toEqual([]);
    expect(await ack(service, "c", ...names, "nothing")).toEqual({ done: 1, unknown: ["nothing"] });
    expect(await ack(service, "c", ...names)).toEqual({ done: 0, unknown: names });
  });

  test("lets a request wait for the next event", async () => {
    await using service = await startService();
    await ask(service, "PUT", "/c", { pattern: ["a"] });
    const waiting = take(service, "c", "wait=30s");
    await publish(service.url, "b");
    await publish(service.url, "a", 7);
    expect(await waiting).toMatchObject([{ attempt: 1, event: { id: 2, data: 7 } }]);
    expect(await take(service, "c", "wait=20ms")).toEqual([]);
  });

  test("gives nothing to a request whose client has left", async () => {
    await using service = await startService();
    await ask(service, "PUT", "/c", { pattern: ["a"] });
    const leaving = new AbortController();
    const left = fetch(`${service.url}/api/consumers/c/take?wait=30s`, { method: "POST", signal: leaving.signal });
    await Bun.sleep(50);
    leaving.abort();
    await left.catch(() => {});
    const waiting = take(service, "c", "wait=30s");
    await publish(service.url, "a");
    expect(await waiting).toHaveLength(1);
  });

  test("shares events among requests that wait", async () => {
    await using service = await startService();
    await ask(service, "PUT", "/c", { pattern: ["a"], order: "none" });
    const waiting = [1, 2, 3].map(() => take(service, "c", "wait=30s&max=1"));
    for (const n of [1, 2, 3]) await publish(service.url, "a", n);
    const taken = (await Promise.all(waiting)).flat();
    expect(taken.map((one) => "event" in one && one.event.id).toSorted()).toEqual([1, 2, 3]);
  });

  test("tries again, gives up, and retries what was given up", async () => {
    await using service = await startService();
    await ask(service, "PUT", "/c", { pattern: ["a"], max_attempts: 2 });
    await publish(service.url, "a");
    for (const attempt of [1, 2]) {
      const taken = await take(service, "c", "wait=30s");
      expect(taken).toMatchObject([{ attempt }]);
      const failed = { deliveries: namesOf(taken), delay: "10ms", reason: "the till is closed" };
      expect(await expectOk<Settled>(await ask(service, "POST", "/c/nack", failed))).toEqual({ done: 1, unknown: [] });
    }
    const dead = await expectOk<DeadEvent[]>(await ask(service, "GET", "/c/dead"));
    expect(dead).toMatchObject([{ id: 1, attempts: 2, reason: "the till is closed", event: { topic: "a" } }]);
    expect(await expectOk<object>(await ask(service, "POST", "/c/dead/retry", { ids: [1] }))).toEqual({ done: 1 });
    expect(await take(service, "c", "wait=30s")).toMatchObject([{ attempt: 1, event: { id: 1 } }]);
    expect(await expectOk<object>(await ask(service, "DELETE", "/c/dead"))).toEqual({ done: 0 });
  });

  test("counts what was acknowledged and what failed", async () => {
    await using service = await startService();
    await ask(service, "PUT", "/c", { pattern: ["a"], order: "none", retry: ["1h"] });
    for (const n of [1, 2, 3]) await publish(service.url, "a", n);
    const [first = "", ...others] = namesOf(await take(service, "c", "wait=30s"));
    await ask(service, "POST", "/c/nack", { deliveries: [first] });
    await ack(service, "c", ...others);
    expect(await expectOk<ConsumerInfo>(await ask(service, "GET", "/c"))).toMatchObject({ acknowledged: 2, failed: 1 });
  });

  test("delivers again by itself what was not acknowledged in time, unless it was extended", async () => {
    await using service = await startService();
    await ask(service, "PUT", "/c", { pattern: ["a"], ack_timeout: "200ms", retry: ["0s"], order: "none" });
    await publish(service.url, "a");
    await publish(service.url, "a");
    const taken = namesOf(await take(service, "c"));
    const waiting = take(service, "c", "wait=30s");
    await Bun.sleep(100);
    const kept = { deliveries: taken.slice(1) };
    expect(await expectOk<Settled>(await ask(service, "POST", "/c/extend", kept))).toMatchObject({ done: 1 });
    expect(await waiting).toMatchObject([{ attempt: 2, event: { id: 1 } }]);
  });

  test("pauses, resumes and seeks", async () => {
    await using service = await startService();
    await ask(service, "PUT", "/c", { pattern: ["a"], order: "none" });
    for (const n of [1, 2, 3]) await publish(service.url, "a", n);
    expect(await expectOk<ConsumerInfo>(await ask(service, "POST", "/c/pause"))).toMatchObject({
      paused: true,
      lag: 3,
    });
    expect(await take(service, "c")).toEqual([]);
    await ask(service, "POST", "/c/resume");
    await ack(service, "c", ...namesOf(await take(service, "c")));
    const moved = await ask(service, "POST", "/c/seek", { since: "1" });
    expect(await expectOk<ConsumerInfo>(moved)).toMatchObject({ place: 1, lag: 2 });
    expect(await take(service, "c")).toMatchObject([{ event: { id: 2 } }, { event: { id: 3 } }]);
    await expectProblem(await ask(service, "POST", "/c/seek", { since: "4" }), "parameter_invalid");
    await expectProblem(await ask(service, "POST", "/c/seek", {}), "parameter_invalid");
  });

  test("answers the requests that wait when the server stops", async () => {
    await using service = await startService();
    await ask(service, "PUT", "/c", { pattern: ["a"] });
    const waiting = take(service, "c", "wait=2m");
    await Bun.sleep(50);
    await service.stop();
    expect(await waiting).toEqual([]);
  });

  test("lets a token take only from the consumers that it names", async () => {
    await using service = await startService();
    const tokens = `${service.url}/api/tokens`;
    const secretOf = async (spec: object, by = "") => {
      const init = { method: "POST", body: JSON.stringify(spec), headers: { Authorization: `Bearer ${by}` } };
      return ((await (await fetch(tokens, init)).json()) as { secret: string }).secret;
    };
    const root = await secretOf({ name: "root", admin: true });
    const worker = await secretOf({ name: "worker", consume: ["bill*"] }, root);
    await ask(service, "PUT", "/billing", { pattern: ["a"] }, root);
    await ask(service, "PUT", "/mail", { pattern: ["a"] }, root);
    expect(await expectOk<object>(await ask(service, "POST", "/billing/take", undefined, worker))).toEqual([]);
    expect((await ask(service, "GET", "/billing", undefined, worker)).status).toBe(200);
    await expectProblem(await ask(service, "POST", "/mail/take", undefined, worker), "scope_insufficient");
    await expectProblem(await ask(service, "PUT", "/billing", { pattern: ["b"] }, worker), "scope_insufficient");
    await expectProblem(await ask(service, "POST", "/billing/pause", undefined, worker), "scope_insufficient");
    await expectProblem(await ask(service, "GET", "", undefined, worker), "scope_insufficient");
    await expectProblem(await ask(service, "POST", "/billing/take"), "token_missing");
  });
});
