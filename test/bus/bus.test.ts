import { describe, expect, test } from "bun:test";
import { Bus, type OpenOptions, type TimeRange } from "../../src/index.ts";
import { until } from "../helpers/inbox.ts";
import { openMemoryBus, publishCounted, range } from "../helpers/memory-bus.ts";
import { TempFolder } from "../helpers/temp.ts";

/** The code of the BusError that the promise rejects with. */
async function codeOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => new Error("nothing was rejected"),
    (reason: unknown) => reason,
  );
  return error instanceof Error && "code" in error ? error.code : error;
}

/** A bus with a clock that the test sets, in milliseconds. */
function openTimedBus(options: OpenOptions = {}) {
  const clock = { nowMs: 0 };
  return { clock, ...openMemoryBus({ ...options, clock: () => clock.nowMs }) };
}

describe("publish", () => {
  test("resolves with the event, whole", async () => {
    await using memory = openTimedBus();
    memory.clock.nowMs = Date.UTC(2026, 10, 23, 14, 30, 0, 123);
    const event = await memory.bus.publish("orders.created", { total: 1.5 }, "shop");
    expect(JSON.parse(event.json)).toEqual({
      id: 1,
      topic: "orders.created",
      data: { total: 1.5 },
      source: "shop",
      created_at: "2026-11-23T14:30:00.123Z",
    });
    expect(JSON.parse(JSON.stringify(event))).toEqual(JSON.parse(event.json));
  });

  test("takes omitted data as null, and an omitted source as empty", async () => {
    await using memory = openMemoryBus();
    const { rawData, source } = await memory.bus.publish("a", undefined);
    expect({ rawData, source }).toEqual({ rawData: parseless("null"), source: "" });
  });

  test("keeps raw data to the letter", async () => {
    await using memory = openMemoryBus();
    const raw = '{"n":12345678901234567890,"m":1.10,"e":1e400,"b":1,"a":2,"b":3}';
    const event = await memory.bus.publishRaw("a", raw);
    expect(String(event.rawData)).toBe(raw);
    expect(String((await memory.bus.history())[0]?.rawData)).toBe(raw);
  });

  test.each<[string, (bus: Bus) => Promise<unknown>]>([
    ["topic_invalid", (bus) => bus.publish("a b", 1)],
    ["parameter_invalid", (bus) => bus.publish("a", 1, "x".repeat(256))],
    ["json_invalid", (bus) => bus.publish("a", 1n)],
    ["json_invalid", (bus) => bus.publishRaw("a", "{")],
    ["json_invalid", (bus) => bus.publishRaw("a", "")],
  ])("rejects with %s and publishes nothing", async (code, publish) => {
    await using memory = openMemoryBus();
    expect(await codeOf(publish(memory.bus))).toBe(code);
    expect(memory.bus.head).toBe(0);
  });

  test("gives ascending ids in the order of the calls", async () => {
    await using memory = openMemoryBus();
    const events = await publishCounted(memory.bus, 100);
    expect(events.map(({ id, data }) => [id, data])).toEqual(range(1, 100).map((n) => [n, n]));
  });

  test("is seen by a subscriber and by the history before it resolves", async () => {
    await using memory = openMemoryBus();
    const subscriber = memory.bus.subscribe();
    const seen = subscriber.next().then(async ({ value }) => [value?.id, (await memory.bus.history(1))[0]?.id]);
    await memory.bus.publish("a", 1);
    expect(await seen).toEqual([1, 1]);
  });
});

/** A string where a branded one is expected by the types of `toEqual`. */
function parseless<T extends string>(text: string): T {
  return text as T;
}

describe("history", () => {
  test("is the newest 50, newest first, by default", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 60);
    expect((await memory.bus.history()).map(({ id }) => id)).toEqual(range(11, 60).reverse());
  });

  test("filters by pattern before it counts", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 5, "a.x");
    await publishCounted(memory.bus, 100, "b.x");
    expect((await memory.bus.history(3, "a.*")).map(({ id }) => id)).toEqual([5, 4, 3]);
  });

  test("is empty when nothing matches, or nothing was published", async () => {
    await using memory = openMemoryBus();
    expect(await memory.bus.history()).toEqual([]);
    await publishCounted(memory.bus, 3);
    expect(await memory.bus.history(10, "none")).toEqual([]);
  });

  test("reads as many as are allowed", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 10_050);
    expect((await memory.bus.history(10_000)).map(({ id }) => id)).toEqual(range(51, 10_050).reverse());
  });

  test.each([0, -1, 1.5, 10_001, Number.NaN, Number.POSITIVE_INFINITY])("of %p is rejected", async (limit) => {
    await using memory = openMemoryBus();
    expect(await codeOf(memory.bus.history(limit))).toBe("parameter_invalid");
    expect(await codeOf(memory.bus.historyByTimeRange({ limit }))).toBe("parameter_invalid");
  });

  test("of a malformed pattern is rejected", async () => {
    await using memory = openMemoryBus();
    expect(await codeOf(memory.bus.history(1, "["))).toBe("pattern_invalid");
    expect(await codeOf(memory.bus.historyByTimeRange({ pattern: "[" }))).toBe("pattern_invalid");
  });
});

describe("history by a range of time", () => {
  // Ten events, one a second from second 1 on: odd ones `odd` by `shop`, even ones `even` by `till`.
  async function openTenSeconds() {
    const memory = openTimedBus();
    for (const second of range(1, 10)) {
      memory.clock.nowMs = second * 1000;
      await (second % 2 === 1 ? memory.bus.publish("odd", second, "shop") : memory.bus.publish("even", second, "till"));
    }
    return memory;
  }

  test.each<[string, TimeRange, number[]]>([
    ["nothing said", {}, range(1, 10)],
    ["from, inclusive", { from: new Date(8000) }, [8, 9, 10]],
    ["to, inclusive", { to: new Date(2000) }, [1, 2]],
    ["between", { from: new Date(3001), to: new Date(5999) }, [4, 5]],
    ["a source", { source: "shop" }, [1, 3, 5, 7, 9]],
    ["no source", { source: "" }, []],
    ["a pattern", { pattern: "e*" }, [2, 4, 6, 8, 10]],
    ["a limit: the newest", { limit: 2 }, [9, 10]],
    ["all of them", { from: new Date(2000), to: new Date(8000), source: "till", pattern: "even", limit: 2 }, [6, 8]],
    ["a range that is empty", { from: new Date(5000), to: new Date(4000) }, []],
    ["a range to come", { from: new Date(99_000) }, []],
    ["the years before", { to: new Date(-1) }, []],
  ])("%s", async (_, timeRange, ids) => {
    await using memory = await openTenSeconds();
    expect((await memory.bus.historyByTimeRange(timeRange)).map(({ id }) => id)).toEqual(ids.toReversed());
  });

  test.each(["from", "to"])("with an invalid Date as %s is rejected", async (name) => {
    await using memory = openMemoryBus();
    expect(await codeOf(memory.bus.historyByTimeRange({ [name]: new Date("never") }))).toBe("parameter_invalid");
  });

  test("is 50 events when no limit is given", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 60);
    expect(await memory.bus.historyByTimeRange()).toHaveLength(50);
  });
});

describe("pruning", () => {
  test("applies the rules that the bus was opened with, and returns how many events it removed", async () => {
    await using memory = openMemoryBus({ maxHistory: 3 });
    await publishCounted(memory.bus, 10);
    expect(await memory.bus.prune()).toBe(7);
    expect(await memory.bus.prune()).toBe(0);
    expect([memory.bus.floor, memory.bus.head]).toEqual([8, 10]);
  });

  test("continues by itself at an interval", async () => {
    await using memory = openMemoryBus({ maxHistory: 3 });
    await publishCounted(memory.bus, 10);
    memory.bus.startPruning(60_000);
    memory.bus.startPruning(1);
    await until(() => memory.bus.floor === 8);
    await publishCounted(memory.bus, 1);
    await until(() => memory.bus.floor === 9);
  });

  test("that fails at the interval is reported, and tried again", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let failures = 0;
    const onPruneError = () => (++failures === 2 ? resolve() : undefined);
    await using memory = openMemoryBus({ onPruneError });
    memory.bus.prune = () => Promise.reject(new Error("no"));
    memory.bus.startPruning(1);
    await promise;
  });

  test("distinguishes an event that is gone from one that never existed", async () => {
    await using memory = openMemoryBus({ maxHistory: 1 });
    await publishCounted(memory.bus, 3);
    await memory.bus.prune();
    expect(memory.bus.event(3).id).toBe(3);
    expect(await codeOf((async () => memory.bus.event(2))())).toBe("cursor_expired");
    expect(await codeOf((async () => memory.bus.event(4))())).toBe("not_found");
    expect(await codeOf((async () => memory.bus.event(0))())).toBe("not_found");
  });
});

describe("stop", () => {
  test("commits and acknowledges what was accepted", async () => {
    using folder = new TempFolder();
    const path = `${folder.path}/history.db`;
    const bus = Bus.open(path, { durability: "os" });
    const published = publishCounted(bus, 10);
    await bus.stop();
    expect((await published).map(({ id }) => id)).toEqual(range(1, 10));
    await using again = { bus: Bus.open(path), [Symbol.asyncDispose]: () => again.bus.stop() };
    expect(await again.bus.history()).toHaveLength(10);
  });

  test("may be called twice", async () => {
    const bus = Bus.open(":memory:");
    const first = bus.stop();
    expect(bus.stop()).toBe(first);
    await first;
    await bus.stop();
  });

  test("rejects later calls", async () => {
    const bus = Bus.open(":memory:");
    await bus.publish("a", 1);
    await bus.stop();
    expect(await codeOf(bus.publish("a", 1))).toBe("shutting_down");
    expect(await codeOf(bus.publishRaw("a", "1"))).toBe("shutting_down");
    expect(await codeOf(bus.history())).toBe("shutting_down");
    expect(await codeOf(bus.historyByTimeRange())).toBe("shutting_down");
    expect(await codeOf(bus.prune())).toBe("shutting_down");
  });

  test("ends pruning", async () => {
    const failures: unknown[] = [];
    const bus = Bus.open(":memory:", { onPruneError: (error) => void failures.push(error) });
    bus.startPruning(1);
    await bus.stop();
    bus.startPruning(1);
    for (const _ of range(1, 5)) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(failures).toEqual([]);
  });
});

test("pruning measures ages by a clock of its own, which does not jump", async () => {
  const ageClock = { nowMs: 0 };
  await using memory = openTimedBus({ maxAgeMs: 1000, ageClock: () => ageClock.nowMs });
  await memory.bus.publish("a", 1);
  memory.clock.nowMs = 86_400_000;
  expect(await memory.bus.prune()).toBe(0);
  ageClock.nowMs = 1001;
  expect(await memory.bus.prune()).toBe(1);
});
