import { describe, expect, test } from "bun:test";
import { PatternSet } from "../../src/bus/patterns/pattern-set.ts";
import type { EventLog } from "../../src/bus/ports.ts";
import type { Start } from "../../src/bus/start.ts";
import { StartSearch } from "../../src/bus/start-search.ts";
import { Bus } from "../../src/index.ts";
import { publishCounted, range } from "../helpers/memory-bus.ts";
import { MemoryEventLog } from "../helpers/memory-log.ts";

const everything = PatternSet.parse(["*"]);
const clock = { nowMs: 0 };

/** Ten events, one every second from second 1 on, the odd ones under `odd`. */
async function tenEvents(): Promise<EventLog> {
  const log = new MemoryEventLog(() => clock.nowMs);
  const bus = new Bus(log);
  for (const second of range(1, 10)) {
    clock.nowMs = second * 1000;
    await bus.publish(second % 2 === 1 ? "odd" : "even", second);
  }
  return log;
}

describe("where a subscriber starts", () => {
  test.each<[string, Start, number]>([
    ["live: with the next event", { kind: "live" }, 10],
    ["now: the same", { kind: "now" }, 10],
    ["after an id", { kind: "after", id: 7 }, 7],
    ["after the newest id", { kind: "after", id: 10 }, 10],
    ["after an id that is still to come: with the next event", { kind: "after", id: 99 }, 10],
    ["all: with the oldest", { kind: "all" }, 0],
    ["a time: with the first event of that time", { kind: "time", timeMs: 8000 }, 7],
    ["a time between two events", { kind: "time", timeMs: 7001 }, 7],
    ["a time before all", { kind: "time", timeMs: 0 }, 0],
    ["a time to come", { kind: "time", timeMs: 99_000 }, 10],
    ["a duration, back from the clock", { kind: "ago", durationMs: 2000 }, 7],
    ["a duration beyond the history", { kind: "ago", durationMs: 1e9 }, 0],
    ["the last three", { kind: "last", count: 3 }, 7],
    ["more than there are", { kind: "last", count: 100 }, 0],
  ])("%s", async (_, start, position) => {
    const search = new StartSearch(await tenEvents(), { topics: everything, start }, clock.nowMs);
    expect(search.step(100)).toBe(position);
    expect(search.isReplay).toBe(start.kind !== "live");
  });

  test("before the last three that match, however many others lie between", async () => {
    const search = new StartSearch(
      await tenEvents(),
      { topics: PatternSet.parse(["odd"]), start: { kind: "last", count: 3 } },
      0,
    );
    expect(search.step(100)).toBe(4);
  });

  test("is searched for a page at a time", async () => {
    const log = new MemoryEventLog();
    const bus = new Bus(log, { maxHistory: 6 });
    await publishCounted(bus, 10);
    const search = new StartSearch(log, { topics: everything, start: { kind: "last", count: 7 } }, 0);
    for (const _ of range(1, 3)) expect(search.step(2)).toBeUndefined();
    await publishCounted(bus, 1);
    await bus.prune();
    // Where the seventh of them was is unknown by now.
    expect([search.step(2), search.position]).toEqual([0, 0]);
  });
});
