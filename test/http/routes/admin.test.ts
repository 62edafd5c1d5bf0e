import { describe, expect, test } from "bun:test";
import { expectOk, expectProblem, history, publish, publishMany } from "../../helpers/http.ts";
import { startService } from "../../helpers/service.ts";
import { TestSocket } from "../../helpers/socket.ts";

async function prune(url: string): Promise<number> {
  const { pruned } = await expectOk<{ pruned: number }>(await fetch(`${url}/api/events/prune`, { method: "POST" }));
  return pruned;
}

describe("POST /api/events/prune", () => {
  test("removes nothing when every rule is off", async () => {
    await using service = await startService({ maxHistory: undefined });
    await publishMany(service.url, Array(100).fill({ topic: "a" }));
    expect(await prune(service.url)).toBe(0);
  });

  test("keeps the newest events when there is a number", async () => {
    await using service = await startService({ maxHistory: 3 });
    await publishMany(service.url, Array(10).fill({ topic: "a" }));
    expect(await prune(service.url)).toBe(7);
    expect((await history(service.url)).map(({ id }) => id)).toEqual([10, 9, 8]);
    expect(await prune(service.url)).toBe(0);
  });

  test("removes what is older than the age", async () => {
    await using service = await startService({ maxAge: 1 });
    const { created_at } = await publish(service.url, "a");
    while (Date.now() <= Date.parse(created_at) + 1) await Bun.sleep(1);
    expect(await prune(service.url)).toBe(1);
    expect(await history(service.url)).toEqual([]);
  });

  test("keeps the file within the size, and the newest events in it", async () => {
    const maxBytes = 2 ** 20;
    await using service = await startService({ maxBytes, maxHistory: undefined });
    const data = "x".repeat(100_000);
    for (let index = 0; index < 30; index++) await publish(service.url, "a", data);
    const pruned = await prune(service.url);
    expect(service.bus.size().usedBytes).toBeLessThanOrEqual(maxBytes);
    const ids = (await history(service.url, "last=100")).map(({ id }) => id);
    expect(ids).toEqual(Array.from({ length: 30 - pruned }, (_, index) => 30 - index));
    expect(ids.length).toBeGreaterThanOrEqual(5);
  });

  test("applies whichever rule removes most", async () => {
    await using service = await startService({ maxHistory: 2, maxAge: 3_600_000, maxBytes: 2 ** 30 });
    await publishMany(service.url, Array(5).fill({ topic: "a" }));
    expect(await prune(service.url)).toBe(3);
  });

  test("never uses an id again, not even when nothing is left", async () => {
    await using service = await startService({ maxAge: 1 });
    const { created_at } = await publish(service.url, "a");
    while (Date.now() <= Date.parse(created_at) + 1) await Bun.sleep(1);
    await prune(service.url);
    expect((await publish(service.url, "a")).id).toBe(2);
  });

  test("happens by itself at the interval", async () => {
    await using service = await startService({ maxHistory: 1, pruneInterval: 100 });
    await publishMany(service.url, Array(10).fill({ topic: "a" }));
    while (service.bus.floor < 10) await Bun.sleep(10);
    expect((await history(service.url)).map(({ id }) => id)).toEqual([10]);
  });

  test("answers two calls at once", async () => {
    await using service = await startService({ maxHistory: 1 });
    await publishMany(service.url, Array(5000).fill({ topic: "a" }));
    const [first, second] = await Promise.all([prune(service.url), prune(service.url)]);
    expect(first + second).toBe(4999);
  });
});

interface Stats {
  readonly version: string;
  readonly uptime_seconds: number;
  readonly published: number;
  readonly published_per_second: number;
  readonly storage: { readonly used_bytes: number; readonly file_bytes: number };
}

describe("GET /api/stats", () => {
  test("reports what is kept and what was published", async () => {
    await using service = await startService({ maxHistory: 2, maxAge: 60_000 });
    await publishMany(service.url, Array(5).fill({ topic: "a" }));
    await prune(service.url);
    const stats = await expectOk<Stats>(await fetch(`${service.url}/api/stats`));
    expect(stats).toMatchObject({
      version: "0.0.0-test",
      events: { count: 2, first_id: 4, last_id: 5 },
      published: 5,
      retention: { max_history: 2, max_age_ms: 60_000, max_bytes: null, prune_interval_ms: 60_000 },
    });
    expect(stats.uptime_seconds).toBeGreaterThanOrEqual(0);
    expect(stats.storage.used_bytes).toBeGreaterThan(0);
    expect(stats.storage.file_bytes).toBeGreaterThanOrEqual(stats.storage.used_bytes);
  });

  test("counts subscribers", async () => {
    await using service = await startService();
    using socket = await TestSocket.open(service.url);
    await socket.ask({ type: "ping" });
    const stats = await expectOk<Stats>(await fetch(`${service.url}/api/stats`));
    expect(stats).toMatchObject({ subscribers: { websocket: { live: 1, replay: 0 } } });
  });
});

describe("health", () => {
  test("is well and ready while the history takes events", async () => {
    await using service = await startService();
    expect(await expectOk<unknown>(await fetch(`${service.url}/healthz`))).toEqual({ status: "ok" });
    expect(await expectOk<unknown>(await fetch(`${service.url}/readyz`))).toEqual({ status: "ready" });
  });

  test("is alive and not ready when the history takes no more", async () => {
    await using service = await startService();
    await service.bus.stop();
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    await expectProblem(await fetch(`${service.url}/readyz`), "unavailable");
  });
});
