import { describe, expect, test } from "bun:test";
import { Event } from "../../src/bus/event.ts";
import { Follower } from "../../src/bus/follower.ts";
import { PatternSet } from "../../src/bus/pattern-set.ts";
import type { Start } from "../../src/bus/start.ts";
import type { Bus } from "../../src/index.ts";
import { openMemoryBus, publishCounted } from "../helpers/memory-bus.ts";

const everything = PatternSet.parse(["*"]);

/** A follower over a bus, and what it did to its live part. */
function followerOf(bus: Bus, start: Start = { kind: "live" }) {
  const calls: string[] = [];
  const live = { join: () => void calls.push("join"), leave: () => void calls.push("leave") };
  const follower = new Follower(bus.cursor(everything, start), live);
  const readIds = (limit: number) => follower.read(limit).map((item) => (item instanceof Event ? item.id : item.type));
  return { follower, calls, readIds };
}

describe("a follower", () => {
  test("joins in the same turn as the page that reaches the end, and not before", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 3);
    const { follower, calls, readIds } = followerOf(memory.bus, { kind: "all" });
    expect(readIds(2)).toEqual([1, 2]);
    expect({ isLive: follower.isLive, calls }).toEqual({ isLive: false, calls: [] });
    expect(readIds(2)).toEqual([3, "caught_up"]);
    expect({ isLive: follower.isLive, calls }).toEqual({ isLive: true, calls: ["join"] });
  });

  test("reads nothing while it is live, as it is handed everything", async () => {
    await using memory = openMemoryBus();
    const { readIds } = followerOf(memory.bus);
    expect(readIds(10)).toEqual([]);
    await publishCounted(memory.bus, 2);
    expect(readIds(10)).toEqual([]);
  });

  test("that falls behind leaves, and reads on after the event it was handed last", async () => {
    await using memory = openMemoryBus();
    const { follower, calls, readIds } = followerOf(memory.bus);
    readIds(10);
    await publishCounted(memory.bus, 5);
    follower.fallBehind(3);
    expect({ isLive: follower.isLive, calls }).toEqual({ isLive: false, calls: ["join", "leave"] });
    expect(readIds(10)).toEqual([4, 5]);
    expect(calls).toEqual(["join", "leave", "join"]);
  });

  test("cannot fall behind twice, or before it is live", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 5);
    const { follower, readIds } = followerOf(memory.bus, { kind: "all" });
    follower.fallBehind(4);
    expect(readIds(3)).toEqual([1, 2, 3]);
    readIds(3);
    follower.fallBehind(2);
    follower.fallBehind(5);
    expect(readIds(10)).toEqual([3, 4, 5]);
  });

  test("with other topics joins anew when it is live, and keeps its place when it is not", async () => {
    await using memory = openMemoryBus();
    await publishCounted(memory.bus, 4, "old");
    const { follower, calls, readIds } = followerOf(memory.bus, { kind: "all" });
    readIds(1);
    follower.changeTopics(PatternSet.parse(["old", "new"]), memory.bus.head);
    expect(readIds(10)).toEqual([2, 3, 4, "caught_up"]);
    follower.changeTopics(PatternSet.parse(["new"]), memory.bus.head);
    expect(calls).toEqual(["join", "leave", "join"]);
  });

  test("that was closed takes part in nothing, and may be closed again", async () => {
    await using memory = openMemoryBus();
    const { follower, calls, readIds } = followerOf(memory.bus);
    readIds(1);
    follower.close();
    follower.close();
    await publishCounted(memory.bus, 1);
    expect(readIds(10)).toEqual([]);
    follower.changeTopics(everything, 1);
    follower.fallBehind(1);
    expect(calls).toEqual(["join", "leave"]);
  });
});
