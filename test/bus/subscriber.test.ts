import { describe, expect, test } from "bun:test";
import { Bus, type ControlMessage, type Event } from "../../src/index.ts";
import { busErrorOf } from "../helpers/bus-error.ts";
import { openMemoryBus, publishCounted, range, take, takeIds } from "../helpers/memory-bus.ts";

/** What `onControl` received, among the ids of the events, in the order in which the loop saw them. */
async function recordOf(bus: Bus, count: number, options: { since?: number | string; last?: number }) {
  const record: (number | ControlMessage)[] = [];
  const subscriber = bus.subscribe("*", { ...options, onControl: (message) => void record.push(message) });
  while (record.length < count) record.push((await subscriber.next()).value?.id ?? -1);
  return record;
}

describe("a subscriber", () => {
  test("gets what is published from now on to matching topics, and nothing else", async () => {
    await using memory = openMemoryBus();
    await memory.bus.publish("a.before", 1);
    const subscriber = memory.bus.subscribe("a.*");
    await memory.bus.publish("a.x", 2);
    await memory.bus.publish("b.x", 3);
    await memory.bus.publish("a.y", 4);
    expect((await take(subscriber, 2)).map(({ topic, data }) => [topic, data])).toEqual([
      ["a.x", 2],
      ["a.y", 4],
    ]);
  });

  test("of several patterns gets an event that matches more than one of them once", async () => {
    await using memory = openMemoryBus();
    const subscriber = memory.bus.subscribe(["a.*", "*.x", "a.x"]);
    for (const topic of ["a.x", "b.x", "b.y", "a.y"]) await memory.bus.publish(topic, null);
    expect(await takeIds(subscriber, 3)).toEqual([1, 2, 4]);
  });

  test("gets a batch that is committed while it waits, in order", async () => {
    await using memory = openMemoryBus();
    const subscriber = memory.bus.subscribe();
    const ids = takeIds(subscriber, 3000);
    await publishCounted(memory.bus, 3000);
    expect(await ids).toEqual(range(1, 3000));
  });

  test("gets the event that its publisher got back", async () => {
    await using memory = openMemoryBus();
    const subscriber = memory.bus.subscribe();
    const published = await memory.bus.publish("a", { n: 1 }, "shop");
    const [received] = await take(subscriber, 1);
    expect(received?.json).toBe(published.json);
  });

  test.each<[string, number | string | Date]>([
    ["an id", 2],
    ["an id as text", "2"],
    ["a Date", new Date(3000)],
    ["a time as text", "1970-01-01T00:00:03Z"],
    ["a duration", "2s"],
  ])("starts by %s", async (_, since) => {
    let nowMs = 0;
    await using memory = openMemoryBus({ clock: () => nowMs });
    for (const second of range(1, 5)) {
      nowMs = second * 1000;
      await memory.bus.publish("a", second);
    }
    expect(await takeIds(memory.bus.subscribe("*", { since }), 3)).toEqual([3, 4, 5]);
  });

  test("starts with all events, with the last ones, or with the next one", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 5);
    const all = memory.bus.subscribe("*", { since: "all" });
    const last = memory.bus.subscribe("*", { last: 2 });
    const now = memory.bus.subscribe("*", { since: "now" });
    await publishCounted(memory.bus, 1);
    expect(await takeIds(all, 6)).toEqual(range(1, 6));
    expect(await takeIds(last, 3)).toEqual([4, 5, 6]);
    expect(await takeIds(now, 1)).toEqual([6]);
  });

  test.each([
    { since: "yesterday" },
    { since: -1 },
    { since: 1.5 },
    { since: Number.NaN },
    { since: new Date(Number.NaN) },
    { last: 0 },
    { last: 10_001 },
    { last: 1.5 },
    { since: 1, last: 1 },
  ])("with %p is rejected", async (options) => {
    await using memory = openMemoryBus();
    expect(busErrorOf(() => memory.bus.subscribe("*", options)).code).toBe("parameter_invalid");
  });

  test("with a malformed pattern is rejected", async () => {
    await using memory = openMemoryBus();
    expect(busErrorOf(() => memory.bus.subscribe("a[")).code).toBe("pattern_invalid");
    expect(busErrorOf(() => memory.bus.subscribe(["a", "b["])).code).toBe("pattern_invalid");
  });
});

describe("a subscriber with a slow loop", () => {
  test("gets everything, in order, once, falling behind and catching up", async () => {
    await using memory = openMemoryBus({ tuning: { maxWaitingEvents: 3, pageEvents: 2 } });
    const subscriber = memory.bus.subscribe();
    const ids = takeIds(subscriber, 1);
    for (const round of range(1, 20)) {
      await publishCounted(memory.bus, round);
      if (round % 3 === 0) await takeIds(subscriber, 1);
    }
    expect(await ids).toEqual([1]);
    expect(await takeIds(subscriber, 210 - 7)).toEqual(range(8, 210));
  });

  test("keeps no more than a thousand events waiting", async () => {
    await using memory = openMemoryBus({ maxHistory: 1 });
    const gaps: ControlMessage[] = [];
    const subscriber = memory.bus.subscribe("*", { onControl: (message) => void gaps.push(message) });
    const first = takeIds(subscriber, 1);
    await publishCounted(memory.bus, 1);
    await first;
    const second = subscriber.next();
    await publishCounted(memory.bus, 5000);
    await memory.bus.prune();
    expect((await second).value?.id).toBe(2);
    expect(await takeIds(subscriber, 1000)).toEqual([...range(3, 1001), 5001]);
    expect(gaps).toEqual([{ type: "gap", after: 1001, next: 5001 }]);
  });

  test("keeps no more than half a megabyte waiting", async () => {
    await using memory = openMemoryBus({ maxHistory: 1 });
    const subscriber = memory.bus.subscribe();
    const first = subscriber.next();
    const data = "x".repeat(100_000);
    await Promise.all(range(1, 20).map(() => memory.bus.publish("a", data)));
    await memory.bus.prune();
    await first;
    expect(await takeIds(subscriber, 6)).toEqual([2, 3, 4, 5, 6, 20]);
  });

  test("does not delay other work while it reads the history", async () => {
    await using memory = openMemoryBus({ tuning: { pageEvents: 10 } });
    await publishCounted(memory.bus, 1000);
    const subscriber = memory.bus.subscribe("*", { since: "all" });
    const turn = new Promise((resolve) => setImmediate(resolve)).then(() => "turn");
    const replay = takeIds(subscriber, 1000).then(() => "replay");
    expect(await Promise.race([replay, turn])).toBe("turn");
    expect(await replay).toBe("replay");
  });

  test("catches up although more is published in each turn than fits a page", async () => {
    await using memory = openMemoryBus({ tuning: { pageEvents: 10 } });
    await publishCounted(memory.bus, 1000);
    let isCaughtUp = false;
    const onControl = () => {
      isCaughtUp = true;
    };
    const subscriber = memory.bus.subscribe("*", { since: "all", onControl });
    let ids = 0;
    const reading = (async () => {
      for await (const { id } of subscriber) {
        expect(id).toBe(++ids);
        if (isCaughtUp) break;
      }
    })();
    for (let turn = 0; turn < 300 && !isCaughtUp; turn++) await publishCounted(memory.bus, 50);
    expect(isCaughtUp).toBe(true);
    await publishCounted(memory.bus, 1);
    await reading;
  });

  test("does not delay other work while nothing matches", async () => {
    await using memory = openMemoryBus();
    for (const _ of range(1, 30)) await publishCounted(memory.bus, 1000);
    await memory.bus.publish("rare", 1);
    const subscriber = memory.bus.subscribe("rare", { since: "all" });
    expect(await takeIds(subscriber, 1)).toEqual([30_001]);
  });
});

describe("control messages", () => {
  test("come in their place: the gap before what follows it, the end of the replay after its last event", async () => {
    await using memory = openMemoryBus({ maxHistory: 3 });
    await publishCounted(memory.bus, 5);
    await memory.bus.prune();
    const record = recordOf(memory.bus, 6, { since: 0 });
    await new Promise((resolve) => setImmediate(resolve));
    await publishCounted(memory.bus, 1);
    expect(await record).toEqual([{ type: "gap", after: 0, next: 3 }, 3, 4, 5, { type: "caught_up", id: 5 }, 6]);
  });

  test("reach subscribers that requested an empty replay, too", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 2);
    const records = ["now", 2].map((since) => recordOf(memory.bus, 2, { since }));
    await publishCounted(memory.bus, 1);
    expect(await Promise.all(records)).toEqual(Array(2).fill([{ type: "caught_up", id: 2 }, 3]));
  });

  test("report a start at an id that was never given as a gap", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 2);
    const record = recordOf(memory.bus, 3, { since: 99 });
    await publishCounted(memory.bus, 1);
    expect(await record).toEqual([{ type: "gap", after: 99, next: 3 }, { type: "caught_up", id: 2 }, 3]);
  });

  test("do not reach subscribers that requested no replay", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 2);
    const record = recordOf(memory.bus, 2, {});
    await publishCounted(memory.bus, 2);
    expect(await record).toEqual([3, 4]);
  });

  test("report each gap once, with the ids around it", async () => {
    await using memory = openMemoryBus({ maxHistory: 2, tuning: { maxWaitingEvents: 1 } });
    const record: (number | ControlMessage)[] = [];
    const subscriber = memory.bus.subscribe("*", { onControl: (message) => void record.push(message) });
    // From the second round on it is live, and is handed one event before it falls behind.
    for (const count of [2, 3, 3]) {
      await publishCounted(memory.bus, 5);
      await memory.bus.prune();
      for (const _ of range(1, count)) record.push(...(await takeIds(subscriber, 1)));
    }
    const gap = (after: number, next: number) => ({ type: "gap" as const, after, next });
    expect(record).toEqual([gap(0, 4), 4, 5, 6, gap(6, 9), 9, 10, 11, gap(11, 14), 14, 15]);
  });
});

describe("the end of a subscriber", () => {
  /** Resolves when the bus no longer hands it anything: a marker that it would get does not come. */
  async function isEnded(bus: Bus, iterator: AsyncIterator<Event>): Promise<boolean> {
    await bus.publish("marker", null);
    return (await iterator.next()).done === true;
  }

  test("comes by unsubscribe, even while it waits", async () => {
    await using memory = openMemoryBus();
    const subscriber = memory.bus.subscribe();
    const waiting = subscriber.next();
    await Promise.resolve();
    memory.bus.unsubscribe(subscriber);
    memory.bus.unsubscribe(subscriber);
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await isEnded(memory.bus, subscriber)).toBe(true);
  });

  test("comes by leaving the loop", async () => {
    await using memory = openMemoryBus();
    const subscriber = memory.bus.subscribe("*", { since: "all" });
    await publishCounted(memory.bus, 3);
    for await (const event of subscriber) if (event.id === 2) break;
    expect(await isEnded(memory.bus, subscriber)).toBe(true);
  });

  test("comes by an error in the loop", async () => {
    await using memory = openMemoryBus();
    const subscriber = memory.bus.subscribe("*", { since: "all" });
    await publishCounted(memory.bus, 3);
    const loop = (async () => {
      for await (const event of subscriber) throw new Error(`cannot handle ${event.id}`);
    })();
    expect(loop).rejects.toThrow("cannot handle 1");
    await loop.catch(() => {});
    expect(await isEnded(memory.bus, subscriber)).toBe(true);
  });

  test("comes by `await using`", async () => {
    await using memory = openMemoryBus();
    let subscriber: ReturnType<Bus["subscribe"]>;
    {
      await using scoped = memory.bus.subscribe();
      subscriber = scoped;
      await memory.bus.publish("a", 1);
      expect(await takeIds(scoped, 1)).toEqual([1]);
    }
    expect(await isEnded(memory.bus, subscriber)).toBe(true);
  });

  test("comes by the end of the bus, to all of them", async () => {
    const bus = Bus.open(":memory:");
    const loops = range(1, 5).map(async () => {
      for await (const _ of bus.subscribe());
      return "ended";
    });
    await new Promise((resolve) => setImmediate(resolve));
    await bus.stop();
    expect(await Promise.all(loops)).toEqual(Array(5).fill("ended"));
    expect(busErrorOf(() => bus.subscribe()).code).toBe("shutting_down");
  });
});

describe("two calls of next at a time", () => {
  test("get two events, in the order of the calls", async () => {
    await using memory = openMemoryBus();
    const subscriber = memory.bus.subscribe();
    const calls = [subscriber.next(), subscriber.next(), subscriber.next()];
    await publishCounted(memory.bus, 3);
    expect((await Promise.all(calls)).map(({ value }) => value?.id)).toEqual([1, 2, 3]);
  });

  test("get what is in the history in the order of the calls, too", async () => {
    await using memory = openMemoryBus({ tuning: { pageEvents: 1 } });
    await publishCounted(memory.bus, 4);
    const subscriber = memory.bus.subscribe("*", { since: 0 });
    const calls = range(1, 4).map(() => subscriber.next());
    expect((await Promise.all(calls)).map(({ value }) => value?.id)).toEqual([1, 2, 3, 4]);
  });

  test("both end", async () => {
    await using memory = openMemoryBus();
    const subscriber = memory.bus.subscribe();
    const calls = [subscriber.next(), subscriber.next()];
    await Promise.resolve();
    subscriber.close();
    expect((await Promise.all(calls)).map(({ done }) => done)).toEqual([true, true]);
  });

  test("continue after a call that failed", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 1);
    const onControl = () => {
      throw new Error("not today");
    };
    const subscriber = memory.bus.subscribe("*", { since: 1, onControl });
    const failing = subscriber.next();
    const next = subscriber.next();
    expect(failing).rejects.toThrow("not today");
    await failing.catch(() => {});
    await publishCounted(memory.bus, 1);
    expect((await next).value?.id).toBe(2);
  });
});
