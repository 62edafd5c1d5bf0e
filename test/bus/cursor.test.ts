import { describe, expect, test } from "bun:test";
import { Cursor } from "../../src/bus/cursor.ts";
import { Event } from "../../src/bus/event.ts";
import { PatternSet } from "../../src/bus/patterns/pattern-set.ts";
import type { EventLog, Page } from "../../src/bus/ports.ts";
import { openMemoryBus, publishCounted } from "../helpers/memory-bus.ts";

const everything = PatternSet.parse(["*"]);

/** What one `take` returns: ids for events, the message itself for the rest. */
function takeOf(cursor: Cursor, limit = 100) {
  const { items, isAtEnd } = cursor.take(limit);
  return { items: items.map((item) => (item instanceof Event ? item.id : item)), isAtEnd };
}

describe("a cursor", () => {
  test("reads a page at a time, and knows the one that reaches the end", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 3);
    const cursor = memory.bus.cursor(everything, 0);
    expect(takeOf(cursor, 2)).toEqual({ items: [1, 2], isAtEnd: false });
    expect(cursor.position).toBe(2);
    expect(takeOf(cursor, 2)).toEqual({ items: [3], isAtEnd: true });
    expect(takeOf(cursor)).toEqual({ items: [], isAtEnd: true });
  });

  test("passes what does not match, so that it is never overtaken there", async () => {
    await using memory = openMemoryBus({ maxHistory: 1 });
    const cursor = memory.bus.cursor(PatternSet.parse(["rare"]), 0);
    await publishCounted(memory.bus, 10, "common");
    expect(takeOf(cursor)).toEqual({ items: [], isAtEnd: true });
    await memory.bus.prune();
    await memory.bus.publish("rare", null);
    expect(takeOf(cursor).items).toEqual([11]);
  });

  test("continues after the event that it is moved to", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 5);
    const cursor = memory.bus.cursor(everything, 0);
    cursor.moveTo(3);
    expect(cursor.position).toBe(3);
    expect(takeOf(cursor).items).toEqual([4, 5]);
  });
});

describe("a gap", () => {
  test("is reported in its place, with the ids around it, and once", async () => {
    await using memory = openMemoryBus({ maxHistory: 3 });
    await publishCounted(memory.bus, 10);
    const cursor = memory.bus.cursor(everything, 2);
    await memory.bus.prune();
    expect(takeOf(cursor, 1).items).toEqual([{ type: "gap", after: 2, next: 8 }, 8]);
    expect(takeOf(cursor).items).toEqual([9, 10]);
  });

  test("is reported again when retention overtakes the cursor again", async () => {
    await using memory = openMemoryBus({ maxHistory: 2 });
    const cursor = memory.bus.cursor(everything, 0);
    await publishCounted(memory.bus, 4);
    await memory.bus.prune();
    expect(takeOf(cursor, 1).items).toEqual([{ type: "gap", after: 0, next: 3 }, 3]);
    await publishCounted(memory.bus, 4);
    await memory.bus.prune();
    expect(takeOf(cursor).items).toEqual([{ type: "gap", after: 3, next: 7 }, 7, 8]);
  });

  test("is not reported when what was removed had been passed", async () => {
    await using memory = openMemoryBus({ maxHistory: 1 });
    await publishCounted(memory.bus, 3);
    const cursor = memory.bus.cursor(everything, 2);
    await memory.bus.prune();
    expect(takeOf(cursor).items).toEqual([3]);
  });

  test("is reported when no event is kept any more", async () => {
    await using memory = openMemoryBus({ maxAgeMs: 1000, clock: () => clock.nowMs });
    const clock = { nowMs: 0 };
    await publishCounted(memory.bus, 3);
    clock.nowMs = 10_000;
    await memory.bus.prune();
    const cursor = memory.bus.cursor(everything, 1);
    expect(takeOf(cursor).items).toEqual([{ type: "gap", after: 1, next: 4 }]);
  });

  test("of damaged events is reported among the others, one for each run", () => {
    const page: Page = { events: [], damaged: [2, 3, 5], end: 6, done: true };
    const log = { head: 6, floor: 1, read: () => page } as Partial<EventLog> as EventLog;
    const cursor = new Cursor(log, everything, 0);
    expect(takeOf(cursor).items).toEqual([
      { type: "gap", after: 1, next: 4 },
      { type: "gap", after: 4, next: 6 },
    ]);
  });
});
