import { describe, expect, test } from "bun:test";
import { Cursor } from "../../src/bus/cursor.ts";
import { Event } from "../../src/bus/event.ts";
import { PatternSet } from "../../src/bus/pattern-set.ts";
import type { EventLog, Page } from "../../src/bus/ports.ts";
import { scopeOf } from "../../src/bus/scope.ts";
import type { Start } from "../../src/bus/start.ts";
import type { Bus } from "../../src/index.ts";
import { openMemoryBus, publishCounted, range } from "../helpers/memory-bus.ts";

const everything = PatternSet.parse(["*"]);

/** What one `take` says: ids for events, the message itself for the rest. */
function takeOf(cursor: Cursor, limit = 100) {
  const { items, isAtEnd } = cursor.take(limit);
  return { items: items.map((item) => (item instanceof Event ? item.id : item)), isAtEnd };
}

describe("where a cursor starts", () => {
  // Ten events, one every second from second 1 on, the odd ones under `odd`.
  const clock = { nowMs: 0 };
  async function withTenEvents(bus: Bus): Promise<void> {
    for (const second of range(1, 10)) {
      clock.nowMs = second * 1000;
      await bus.publish(second % 2 === 1 ? "odd" : "even", second);
    }
  }

  test.each<[string, Start, number[]]>([
    ["live: with the next event", { kind: "live" }, []],
    ["now: the same", { kind: "now" }, []],
    ["after an id", { kind: "after", id: 7 }, [8, 9, 10]],
    ["after the newest id", { kind: "after", id: 10 }, []],
    ["after an id that is still to come: with the next event", { kind: "after", id: 99 }, []],
    ["all: with the oldest", { kind: "all" }, range(1, 10)],
    ["a time: with the first event of that time", { kind: "time", timeMs: 8000 }, [8, 9, 10]],
    ["a time between two events", { kind: "time", timeMs: 7001 }, [8, 9, 10]],
    ["a time before all", { kind: "time", timeMs: 0 }, range(1, 10)],
    ["a time to come", { kind: "time", timeMs: 99_000 }, []],
    ["a duration, back from the clock", { kind: "ago", durationMs: 2000 }, [8, 9, 10]],
    ["a duration beyond the history", { kind: "ago", durationMs: 1e9 }, range(1, 10)],
    ["the last three", { kind: "last", count: 3 }, [8, 9, 10]],
    ["more than there are", { kind: "last", count: 100 }, range(1, 10)],
  ])("%s", async (_, start, ids) => {
    await using memory = openMemoryBus({ clock: () => clock.nowMs });
    await withTenEvents(memory.bus);
    const { items } = takeOf(memory.bus.cursor(everything, start));
    expect(items.filter((item) => typeof item === "number")).toEqual(ids);
  });

  test("the last three that match, however many others lie between", async () => {
    await using memory = openMemoryBus({ clock: () => clock.nowMs });
    await withTenEvents(memory.bus);
    const cursor = memory.bus.cursor(PatternSet.parse(["odd"]), { kind: "last", count: 3 });
    expect(takeOf(cursor).items).toEqual([5, 7, 9, { type: "caught_up", id: 10 }]);
  });

  test("the last ones are looked for a page at a time, and what comes meanwhile comes beside them", async () => {
    await using memory = openMemoryBus({ maxHistory: 6 });
    await publishCounted(memory.bus, 10);
    const cursor = memory.bus.cursor(everything, { kind: "last", count: 7 });
    for (const _ of range(1, 3)) expect(takeOf(cursor, 2)).toEqual({ items: [], isAtEnd: false });
    expect(cursor.position).toBeUndefined();
    await publishCounted(memory.bus, 1);
    await memory.bus.prune();
    // Nobody can tell any more where the seventh of them was.
    expect(takeOf(cursor, 2).items).toEqual([{ type: "gap", after: 0, next: 6 }, 6, 7]);
    expect(takeOf(cursor).items).toEqual([...range(8, 11), { type: "caught_up", id: 11 }]);
  });
});

describe("the end of a replay", () => {
  test("is told once, with the newest id, after the last event", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 3);
    const cursor = memory.bus.cursor(everything, { kind: "all" });
    expect(takeOf(cursor, 2)).toEqual({ items: [1, 2], isAtEnd: false });
    expect(takeOf(cursor, 2)).toEqual({ items: [3, { type: "caught_up", id: 3 }], isAtEnd: true });
    expect(takeOf(cursor)).toEqual({ items: [], isAtEnd: true });
  });

  test("is told at once when there is nothing to replay, and in an empty history", async () => {
    await using memory = openMemoryBus();
    expect(takeOf(memory.bus.cursor(everything, { kind: "now" })).items).toEqual([{ type: "caught_up", id: 0 }]);
    await publishCounted(memory.bus, 3);
    const unmatched = memory.bus.cursor(PatternSet.parse(["none"]), { kind: "all" });
    expect(takeOf(unmatched).items).toEqual([{ type: "caught_up", id: 3 }]);
  });

  test("is where a reader of limited scope goes on from, whatever retention removes after it", async () => {
    await using memory = openMemoryBus({ maxHistory: 1 });
    await memory.bus.publish("seen", 0);
    const cursor = memory.bus.cursor(PatternSet.parse(["other"]), { kind: "all" }, scopeOf(["seen"]));
    expect(takeOf(cursor).items).toEqual([{ type: "caught_up", id: 1 }]);
    await memory.bus.publish("hidden", 0);
    await memory.bus.prune();
    expect(cursor.position).toBe(1);
  });

  test("is not told to those who asked for no replay", async () => {
    await using memory = openMemoryBus();
    const cursor = memory.bus.cursor(everything);
    await publishCounted(memory.bus, 2);
    expect(takeOf(cursor).items).toEqual([1, 2]);
  });
});

describe("a hole", () => {
  test("is told in its place, with the ids around it, and once", async () => {
    await using memory = openMemoryBus({ maxHistory: 3 });
    await publishCounted(memory.bus, 10);
    const cursor = memory.bus.cursor(everything, { kind: "after", id: 2 });
    await memory.bus.prune();
    expect(takeOf(cursor, 1).items).toEqual([{ type: "gap", after: 2, next: 8 }, 8]);
    expect(takeOf(cursor).items).toEqual([9, 10, { type: "caught_up", id: 10 }]);
  });

  test("is told again when retention overtakes the cursor again", async () => {
    await using memory = openMemoryBus({ maxHistory: 2 });
    const cursor = memory.bus.cursor(everything);
    await publishCounted(memory.bus, 4);
    await memory.bus.prune();
    expect(takeOf(cursor, 1).items).toEqual([{ type: "gap", after: 0, next: 3 }, 3]);
    await publishCounted(memory.bus, 4);
    await memory.bus.prune();
    expect(takeOf(cursor).items).toEqual([{ type: "gap", after: 3, next: 7 }, 7, 8]);
  });

  test("is none when what was removed had been passed", async () => {
    await using memory = openMemoryBus({ maxHistory: 1 });
    await publishCounted(memory.bus, 3);
    const cursor = memory.bus.cursor(everything, { kind: "after", id: 2 });
    await memory.bus.prune();
    expect(takeOf(cursor).items).toEqual([3, { type: "caught_up", id: 3 }]);
  });

  test("is told when nothing is kept any more", async () => {
    await using memory = openMemoryBus({ maxAgeMs: 1000, clock: () => clock.nowMs });
    const clock = { nowMs: 0 };
    await publishCounted(memory.bus, 3);
    clock.nowMs = 10_000;
    await memory.bus.prune();
    const cursor = memory.bus.cursor(everything, { kind: "after", id: 1 });
    expect(takeOf(cursor).items).toEqual([
      { type: "gap", after: 1, next: 4 },
      { type: "caught_up", id: 3 },
    ]);
  });

  test("of damaged events is told among the others, one for each run", () => {
    const page: Page = { events: [], damaged: [2, 3, 5], end: 6, done: true };
    const log = { head: 6, floor: 1, read: () => page } as Partial<EventLog> as EventLog;
    const cursor = new Cursor(log, everything, { kind: "after", id: 0 }, 0);
    expect(takeOf(cursor).items).toEqual([
      { type: "gap", after: 1, next: 4 },
      { type: "gap", after: 4, next: 6 },
      { type: "caught_up", id: 6 },
    ]);
  });
});

describe("a start at an id that was never given", () => {
  test("is told to be another one, and goes on with what is new", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 3);
    const cursor = memory.bus.cursor(everything, { kind: "after", id: 99 });
    expect(cursor.position).toBeUndefined();
    await publishCounted(memory.bus, 2);
    expect(takeOf(cursor, 1).items).toEqual([{ type: "gap", after: 99, next: 4 }, 4]);
    expect(cursor.position).toBe(4);
    expect(takeOf(cursor).items).toEqual([5, { type: "caught_up", id: 5 }]);
  });

  test("is the next one too, and the newest is not", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 3);
    const told = (id: number) => takeOf(memory.bus.cursor(everything, { kind: "after", id })).items;
    expect(told(4)).toEqual([
      { type: "gap", after: 4, next: 4 },
      { type: "caught_up", id: 3 },
    ]);
    expect(told(3)).toEqual([{ type: "caught_up", id: 3 }]);
  });

  test("tells a reader of limited scope no id that it may not know", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 2, "seen");
    await publishCounted(memory.bus, 5, "hidden");
    const cursor = memory.bus.cursor(PatternSet.parse(["seen"]), { kind: "after", id: 99 }, scopeOf(["seen"]));
    expect(takeOf(cursor).items).toEqual([
      { type: "gap", after: 99, next: 3 },
      { type: "caught_up", id: 2 },
    ]);
    await publishCounted(memory.bus, 1, "seen");
    expect(takeOf(cursor).items).toEqual([8]);
  });

  test("may be overtaken by retention before it is told", async () => {
    await using memory = openMemoryBus({ maxHistory: 1 });
    await publishCounted(memory.bus, 3);
    const cursor = memory.bus.cursor(everything, { kind: "after", id: 99 });
    await publishCounted(memory.bus, 3);
    await memory.bus.prune();
    expect(takeOf(cursor).items).toEqual([
      { type: "gap", after: 99, next: 4 },
      { type: "gap", after: 3, next: 6 },
      6,
      { type: "caught_up", id: 6 },
    ]);
  });
});

describe("a cursor", () => {
  test("passes what does not match, so that it is never overtaken there", async () => {
    await using memory = openMemoryBus({ maxHistory: 1 });
    const cursor = memory.bus.cursor(PatternSet.parse(["rare"]));
    await publishCounted(memory.bus, 10, "common");
    expect(takeOf(cursor)).toEqual({ items: [], isAtEnd: true });
    await memory.bus.prune();
    await memory.bus.publish("rare", null);
    expect(takeOf(cursor).items).toEqual([11]);
  });

  test("goes on after the event that it is moved to", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 5);
    const cursor = memory.bus.cursor(everything);
    cursor.moveTo(3);
    expect(cursor.position).toBe(3);
    expect(takeOf(cursor).items).toEqual([4, 5]);
  });
});
