import { describe, expect, test } from "bun:test";
import { Binary, runBinary } from "./helpers/binary.ts";
import { exchange, expectProblem, publish, publishMany, requestText } from "./helpers/http.ts";
import { describeWith } from "./helpers/requires.ts";
import { startService } from "./helpers/service.ts";
import { TestSocket } from "./helpers/socket.ts";

/** The numbers of an answer, by name and labels. */
async function metricsOf(url: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

describe("GET /metrics", () => {
  test("counts what was published and delivered, and their commits", async () => {
    await using binary = await Binary.start();
    using socket = await TestSocket.open(binary.url);
    await socket.ask({ type: "ping" });
    await publishMany(binary.url, Array(3).fill({ topic: "a" }));
    await socket.ask({ type: "ping" });
    const metrics = await metricsOf(binary.url);
    expect(Object.fromEntries(metrics)).toMatchObject({
      eventbus_published_events_total: 3,
      'eventbus_delivered_events_total{transport="websocket"}': 3,
      'eventbus_subscribers{transport="websocket",state="live"}': 1,
      'eventbus_commit_events_bucket{le="2"}': 0,
      'eventbus_commit_events_bucket{le="4"}': 1,
      'eventbus_commit_events_bucket{le="+Inf"}': 1,
      eventbus_commit_events_sum: 3,
      eventbus_fsync_duration_seconds_count: 1,
      'eventbus_behind_subscribers{distance="far"}': 0,
      'eventbus_behind_events{distance="near"}': 0,
      eventbus_replay_share: 1 / 30,
      eventbus_waiting_bytes: 0,
      eventbus_queue_depth: 0,
      eventbus_ready: 1,
    });
    expect(metrics.get("process_resident_memory_bytes")).toBeGreaterThan(0);
    const { version, commit, target, bun } = JSON.parse((await runBinary(["version", "--json"])).stdout);
    const labels = `version="${version}",commit="${commit}",target="${target}",bun="${bun}"`;
    expect(metrics.get(`eventbus_build_info{${labels}}`)).toBe(1);
  });

  test("measures events in bytes, however many a character takes", async () => {
    await using service = await startService();
    using socket = await TestSocket.open(service.url);
    const response = await publish(service.url, "ü", "日本語 🚀");
    const bytes = Buffer.byteLength(JSON.stringify(response));
    expect(await socket.nextJson()).toEqual({ ...response });
    expect(Object.fromEntries(await metricsOf(service.url))).toMatchObject({
      eventbus_published_bytes_total: bytes,
      'eventbus_delivered_bytes_total{transport="websocket"}': bytes,
    });
  });

  test("counts replays, gaps and pruning", async () => {
    await using service = await startService({ maxHistory: 1 });
    await publishMany(service.url, Array(3).fill({ topic: "a" }));
    await service.bus.prune();
    const subscriber = service.bus.subscribe("*", { since: 1 });
    await subscriber.next();
    expect(Object.fromEntries(await metricsOf(service.url))).toMatchObject({
      eventbus_replays_total: 1,
      eventbus_gaps_total: 1,
      eventbus_pruned_events_total: 2,
      eventbus_prune_duration_seconds_count: 1,
      'eventbus_delivered_events_total{transport="library"}': 1,
    });
    expect(await (await fetch(`${service.url}/api/stats`)).json()).toMatchObject({
      delivered: 1,
      gaps: 1,
      replays: 1,
      evictions: 0,
      commits: { count: 1, events_per_commit: 3, fsync_ms: { p50: expect.any(Number), p99: expect.any(Number) } },
    });
  });

  test("names routes by their templates, never by what was asked", async () => {
    await using service = await startService();
    await publish(service.url, "a");
    for (const path of ["/api/events/1", "/api/events/99", "/no/such/secret"]) await fetch(service.url + path);
    const text = await (await fetch(`${service.url}/metrics`)).text();
    expect(text).toContain('_count{method="GET",route="/api/events/:id",status="200"} 1');
    expect(text).toContain('_count{method="GET",route="/api/events/:id",status="404"} 1');
    expect(text).toContain('_count{method="GET",route="other",status="404"} 1');
    expect(text).not.toContain("secret");
  });

  test("counts by reason and limit what the edges reject", async () => {
    await using service = await startService({ maxPatterns: 1 });
    service.bus.meter.authFailures.add("expired");
    await expectProblem(await fetch(`${service.url}/api/events/stream?pattern=a&pattern=b`), "parameter_invalid");
    using socket = await TestSocket.open(service.url, "pattern=a");
    await socket.ask({ type: "subscribe", pattern: "b" });
    expect(Object.fromEntries(await metricsOf(service.url))).toMatchObject({
      'eventbus_auth_failures_total{reason="expired"}': 1,
      'eventbus_limit_hits_total{limit="patterns"}': 2,
    });
  });

  test("names everything as Prometheus advises", async () => {
    await using service = await startService();
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => ({ name, type }));
    const own = types.filter(({ name }) => !name.startsWith("process_"));
    expect(own.length).toBeGreaterThan(15);
    const common = types.map(({ name }) => name).filter((name) => name.startsWith("process_"));
    expect(common).toContain("process_cpu_seconds_total");
    expect(common).toContain("process_open_fds");
    for (const { name, type } of own) {
      expect(name).toMatch(/^eventbus_[a-z][a-z_]*[a-z]$/);
      expect({ name, isTotal: name.endsWith("_total") }).toEqual({ name, isTotal: type === "counter" });
      expect(name).not.toMatch(/_(ms|milliseconds|kb|count|sum|bucket)(_total)?$/);
    }
  });
});

describe("stats before anything was committed", () => {
  test("have null for what is not known", async () => {
    await using service = await startService();
    const stats: unknown = await (await fetch(`${service.url}/api/stats`)).json();
    expect(stats).toMatchObject({
      delivered: 0,
      delivered_per_second: 0,
      commits: {
        count: 0,
        per_second: 0,
        events_per_commit: null,
        commit_ms: { p50: null, p99: null },
        fsync_ms: { p50: null, p99: null },
      },
    });
  });
});

describeWith("promtool", "promtool", (promtool) => {
  test("finds nothing wrong with the metrics", async () => {
    await using binary = await Binary.start();
    await publish(binary.url, "a");
    const text = await (await fetch(`${binary.url}/metrics`)).text();
    const child = Bun.spawn([promtool, "check", "metrics"], {
      stdin: Buffer.from(text),
      stdout: "pipe",
      stderr: "pipe",
    });
    const said = (await new Response(child.stderr).text()) + (await new Response(child.stdout).text());
    expect({ said, exitCode: await child.exited }).toEqual({ said: "", exitCode: 0 });
  });
});

describe("the log of the binary", () => {
  test("has one line per request with --access-log, and no secret in it", async () => {
    await using binary = await Binary.start({ args: ["--access-log", "--log-format", "json"] });
    await fetch(`${binary.url}/api/events?access_token=hush`, { headers: { Authorization: "Bearer hush" } });
    await fetch(`${binary.url}/nowhere?access_token=hush`);
    await binary.stop();
    const lines = binary.stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ msg }) => msg === "request")).toMatchObject([
      { address: "127.0.0.1", method: "GET", path: "/api/events", duration_ms: expect.any(Number), bytes: 0 },
      { method: "GET", path: "/nowhere", status: 404 },
    ]);
    expect(binary.stderr).not.toContain("hush");
  });

  test("warns once of a pattern that no topic can match, whichever way it comes", async () => {
    await using binary = await Binary.start();
    for (const _ of [1, 2]) {
      using socket = await TestSocket.open(binary.url, "pattern=a/b&pattern=fine.*");
      await socket.ask({ type: "subscribe", pattern: "orders.>" });
    }
    const leave = new AbortController();
    const query = "pattern=a.b,c.d&pattern=x%0Afaked%1b31m%e2%80%ae";
    const stream = await fetch(`${binary.url}/api/events/stream?${query}`, { signal: leave.signal });
    expect(stream.status).toBe(200);
    leave.abort();
    await binary.stop();
    const lines = binary.stderr.split("\n").filter((line) => line.includes("cannot match"));
    expect(
      lines.map((line) => line.replace(/.*warn {2}a subscriber waits for a pattern that cannot match hint=/, "")),
    ).toEqual([
      "no topic can match a/b: the segments of a topic are separated by dots: a.b",
      "orders.> matches only a topic that ends in >: for every topic below, write orders.*",
      "no topic can match a.b,c.d: write {a,b} for either of two, or give several patterns",
      '"no topic can match x\\nfaked\\u001b31m\\u202e: a topic has no white space"',
    ]);
  });

  test("keeps a path on one line, whatever is in it", async () => {
    await using binary = await Binary.start();
    for (const path of ["/a%0A%1B[31mfaked", "/a\u001b[31mfaked", "/a\tfaked"]) {
      await exchange(binary.url, requestText(`GET ${path}`));
    }
    await binary.stop();
    const lines = binary.stderr.split("\n").filter((line) => line.includes("faked"));
    expect(lines.map((line) => line.replace(/.*path=(\S+) .*/, "$1"))).toEqual(["/a%0A%1B[31mfaked"]);
    expect(binary.stderr).not.toContain("\u001b");
  });

  test("names rejected requests, and no others, without --access-log", async () => {
    await using binary = await Binary.start();
    await publish(binary.url, "a");
    await fetch(`${binary.url}/nowhere?access_token=hush`);
    await binary.stop();
    expect(binary.stderr).toMatch(/info {2}refused address=127\.0\.0\.1 method=GET path=\/nowhere status=404/);
    expect(binary.stderr).not.toMatch(/hush|\/publish status/);
  });
});
