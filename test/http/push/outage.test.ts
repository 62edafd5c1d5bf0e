import { describe, expect, test } from "bun:test";
import type { Consumer } from "../../../src/bus/consumers/consumer.ts";
import type { WrittenSettings } from "../../../src/bus/consumers/settings.ts";
import { Pushers } from "../../../src/http/push/pushers.ts";
import { ConsumerBench } from "../../helpers/consumers.ts";
import { Endpoint, type Received } from "../../helpers/endpoint.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const STEP_MS = 5000;

/** A consumer that pushes to a real endpoint, by a clock that stands still until it is moved. */
class PushBench implements AsyncDisposable {
  readonly bench = new ConsumerBench();
  readonly endpoint = new Endpoint();
  #pushers = this.#open();

  async set(settings: WrittenSettings = {}): Promise<void> {
    await this.bench.consumers.set("c", { pattern: ["*"], push: { url: this.endpoint.url }, ...settings }, undefined);
  }

  get consumer(): Consumer {
    return this.bench.consumers.get("c");
  }

  get dead(): number[] {
    return this.consumer.dead.page(0, 1000).map(({ id }) => id);
  }

  /** Lets time pass, in steps; each ends when nothing is under way. */
  async pass(ms: number, stepMs = STEP_MS): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.bench.clock.advance(stepMs);
      this.consumer.wake();
      await this.idle();
    }
  }

  /** Resolves when no request is under way, and none follows before time passes. */
  async idle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet = this.consumer.figures.inFlight === 0 ? quiet + 1 : 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async restart(how: "reopen" | "crash"): Promise<void> {
    if (how === "crash") this.bench.log.consumers.save();
    else this.#pushers.close();
    await this.bench[how]();
    this.#pushers.close();
    this.#pushers = this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pushers.close();
    await this.bench[Symbol.asyncDispose]();
    this.endpoint[Symbol.dispose]();
  }

  #open(): Pushers {
    return new Pushers({
      consumers: this.bench.consumers,
      rules: { allowed: [], isLoopbackAllowed: true },
      now: this.bench.clock.read,
    });
  }
}

/** Rejects what is of the topic `bad`. */
function exceptBad(status: number): (request: Received) => Response {
  return ({ body }) => new Response(null, { status: JSON.parse(body).topic === "bad" ? status : 204 });
}

const topics = Array.from({ length: 100 }, (_, index) => `t${index % 10}`);

describe("an outage of an endpoint", () => {
  test.each([
    ["answers 500", () => new Response("oops", { status: 500 })],
    ["answers 503", () => new Response(null, { status: 503 })],
    ["answers 404 with garbage", () => new Response("\u0000<<", { status: 404 })],
    ["redirects", () => Response.redirect("http://127.0.0.1:1/", 302)],
    ["asks for less", () => new Response(null, { status: 429, headers: { "Retry-After": "7" } })],
    ["breaks off its responses", () => new Response(new ReadableStream({ start: (body) => body.error() }))],
  ])("that is shorter than the schedule kills no event, when it %s", async (_, answer) => {
    await using bench = new PushBench();
    bench.endpoint.answer = answer;
    await bench.set();
    await bench.bench.publish(...topics);
    await bench.pass(HOUR_MS);
    const during = bench.endpoint.received.length;
    bench.endpoint.answer = () => new Response();
    await bench.pass(30 * MINUTE_MS);
    expect({ dead: bench.dead, lag: bench.consumer.figures.lag }).toEqual({ dead: [], lag: 0 });
    expect(during).toBeGreaterThan(20);
    expect(during).toBeLessThan(150);
  });

  test("kills no event of the backlog, however long the endpoint is away", async () => {
    await using bench = new PushBench();
    bench.endpoint.answer = () => new Response(null, { status: 503 });
    await bench.set({ retry: ["1s"], max_attempts: 3 });
    await bench.bench.publish(...topics);
    await bench.pass(6 * HOUR_MS, 30_000);
    expect(bench.dead).toEqual([]);
    bench.endpoint.answer = () => new Response();
    await bench.pass(2 * MINUTE_MS);
    expect(bench.consumer.figures.lag).toBe(0);
  });
});

describe("events that an endpoint never accepts", () => {
  test.each(["none", "topic", "all"])("are given up, however many follow each other, with order %s", async (order) => {
    await using bench = new PushBench();
    bench.endpoint.answer = exceptBad(422);
    await bench.set({ order, retry: ["1s", "5s"], max_attempts: 3 });
    await bench.bench.publish("a", ...Array(8).fill("bad"), "a");
    await bench.pass(30 * MINUTE_MS);
    expect(bench.dead).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    expect(bench.consumer.figures.lag).toBe(0);
  });

  test("do not keep others from being posted, even if they make the endpoint seem away", async () => {
    await using bench = new PushBench();
    bench.endpoint.answer = exceptBad(503);
    await bench.set({ order: "none" });
    await bench.bench.publish(...Array(20).fill("bad"), "a", "b", "c");
    await bench.pass(HOUR_MS);
    const accepted = new Set(bench.endpoint.received.filter(({ body }) => !body.includes('"bad"')));
    expect(accepted.size).toBe(3);
  });
});

describe("a restart", () => {
  test.each(["reopen", "crash"] as const)("loses no attempt, by %s", async (how) => {
    await using bench = new PushBench();
    bench.endpoint.answer = () => new Response(null, { status: 500 });
    await bench.set({ retry: ["1m"], max_attempts: 3 });
    await bench.bench.publish("a");
    await bench.idle();
    await bench.pass(1.3 * MINUTE_MS);
    expect(bench.endpoint.received.length).toBe(2);
    await bench.restart(how);
    await bench.idle();
    expect(bench.endpoint.received.length).toBe(2);
    await bench.pass(2 * MINUTE_MS);
    expect(bench.dead).toEqual([1]);
    expect(bench.endpoint.received.length).toBe(3);
  });
});
