import { describe, expect, test } from "bun:test";
import type { Filter } from "../../src/bus/ports.ts";
import { type Bench, MINUTE_MS } from "./bench.ts";
import { appendEach, draft, drafts, idsOf, readAll, readAllBack, startingWith, topicsOf, walk } from "./log-driver.ts";

/** What the port promises of its readers. */
export function describeReading(bench: Bench): void {
  describe("read and readBack", () => {
    test.each<[string, Filter, number[]]>([
      ["everything", {}, [1, 2, 3, 4, 5]],
      ["topics", { topics: startingWith("a.") }, [1, 3, 5]],
      ["one topic", { topics: startingWith("a.z") }, [5]],
      ["nothing for an unknown topic", { topics: startingWith("c") }, []],
      ["a source", { source: "other" }, [4]],
      ["events of the default source", { source: "" }, [1, 2, 3, 5]],
      ["nothing for an unknown source", { source: "nobody" }, []],
      ["a topic and a source", { topics: startingWith("b"), source: "" }, [2]],
    ])("find %s", async (_, filter, expected) => {
      await bench.appendFive();
      expect(idsOf(readAll(bench.log, filter))).toEqual(expected);
      expect(idsOf(readAllBack(bench.log, filter))).toEqual(expected.toReversed());
    });

    test.each<[string, number | undefined, number | undefined, number[]]>([
      ["from a time on, inclusive", 1, undefined, [2, 3, 4, 5]],
      ["up to a time, inclusive", undefined, 1, [1, 2]],
      ["between two times", 1, 3, [2, 3, 4]],
      ["at one time", 2, 2, [3]],
      ["between two events", 1.5, 1.6, []],
      ["before everything", undefined, -1, []],
      ["after everything", 99, undefined, []],
      ["from a time to one before it", 3, 1, []],
    ])("find what was published %s", async (_, from, to, expected) => {
      const startMs = bench.clock.nowMs;
      await bench.appendFive();
      const filter = {
        ...(from === undefined ? {} : { fromMs: startMs + from * MINUTE_MS }),
        ...(to === undefined ? {} : { toMs: startMs + to * MINUTE_MS }),
      };
      expect(idsOf(readAll(bench.log, filter))).toEqual(expected);
      expect(idsOf(readAllBack(bench.log, { ...filter, topics: startingWith("") }))).toEqual(expected.toReversed());
    });

    test("take ids as exclusive bounds", async () => {
      await bench.appendFive();
      expect(idsOf(readAll(bench.log, {}, 2))).toEqual([3, 4, 5]);
      expect(idsOf(readAllBack(bench.log, {}, 3))).toEqual([2, 1]);
      expect(idsOf(readAll(bench.log, { topics: startingWith("a") }, 1))).toEqual([3, 5]);
      expect(idsOf(readAllBack(bench.log, { topics: startingWith("a") }, 5))).toEqual([3, 1]);
    });

    test.each([5, 6, 1e15])("find nothing after %p", async (after) => {
      await bench.appendFive();
      const page = bench.log.read({}, after, 10);
      expect(page).toEqual({ events: [], end: Math.max(after, 5), done: true, damaged: [] });
    });

    test.each([1, 0, -5])("find nothing before %p", async (before) => {
      await bench.appendFive();
      const page = bench.log.readBack({}, before, 10);
      expect([page.events.length, page.done, page.end <= 1]).toEqual([0, true, true]);
    });

    test("find nothing in an empty log", () => {
      expect(bench.log.read({}, 0, 10)).toEqual({ events: [], end: 0, done: true, damaged: [] });
      expect(bench.log.readBack({ topics: startingWith("a") }, 1, 10)).toMatchObject({ events: [], done: true });
    });

    test("return at most as many as requested, and continue where they ended", async () => {
      await bench.appendFive();
      const up = [...walk((from) => bench.log.read({}, from, 2), 0)].map(({ events }) => idsOf(events));
      expect(up.flat()).toEqual([1, 2, 3, 4, 5]);
      expect(Math.max(...up.map((ids) => ids.length))).toBe(2);
      const one = [...walk((from) => bench.log.readBack({ topics: startingWith("a") }, from, 1), 6)];
      expect(one.flatMap(({ events }) => idsOf(events))).toEqual([5, 3, 1]);
      expect(Math.max(...one.map(({ events }) => events.length))).toBe(1);
    });

    test("return where they ended when they stop early", async () => {
      await bench.appendFive();
      const page = bench.log.read({}, 0, 2);
      expect([page.end, page.done]).toEqual([2, false]);
      const back = bench.log.readBack({}, 6, 2);
      expect([back.end, back.done]).toEqual([4, false]);
    });

    test("see a topic that came after the first look", async () => {
      const filter = { topics: startingWith("a") };
      await bench.log.append([draft("a.1")]);
      expect(idsOf(readAll(bench.log, filter))).toEqual([1]);
      await bench.log.append([draft("a.2"), draft("b")]);
      expect(idsOf(readAll(bench.log, filter))).toEqual([1, 2]);
    });
  });

  describe("read and readBack, once retention has removed a topic,", () => {
    test("find nothing of it, nor of others in its place", async () => {
      const filter = { topics: startingWith("a") };
      await appendEach(bench.log, ["a", "b"]);
      expect(idsOf(readAll(bench.log, filter))).toEqual([1]);
      await bench.log.prune({ maxHistory: 1 }, bench.clock.nowMs);
      expect(readAll(bench.log, filter)).toEqual([]);
      expect(readAllBack(bench.log, filter)).toEqual([]);
    });
  });

  describe("get", () => {
    test("finds an event by its id", async () => {
      const [first] = await bench.appendFive();
      expect(bench.log.get(1)?.json).toBe(first?.json ?? "");
    });

    test("knows nothing of others", async () => {
      await bench.appendFive();
      await bench.log.prune({ maxHistory: 3 }, bench.clock.nowMs);
      for (const id of [-1, 0, 2, 6, 1e15, 3.5, Number.NaN]) expect(bench.log.get(id)).toBeUndefined();
    });
  });

  describe("idBefore", () => {
    test("finds the newest event before a time", async () => {
      const startMs = bench.clock.nowMs;
      await bench.appendFive();
      const ids = [-1, 0, 1, MINUTE_MS, MINUTE_MS + 1, 99 * MINUTE_MS].map((ms) => bench.log.idBefore(startMs + ms));
      expect(ids).toEqual([0, 0, 1, 1, 2, 5]);
    });

    test("passes all events of one time", async () => {
      await bench.log.append(drafts(7));
      bench.clock.advance(1);
      await bench.log.append(drafts(7));
      expect([
        bench.log.idBefore(bench.clock.nowMs),
        bench.log.idBefore(bench.clock.nowMs - 1),
        bench.log.idBefore(bench.clock.nowMs + 1),
      ]).toEqual([7, 0, 14]);
    });

    test("stays at the floor when everything older is gone", async () => {
      const startMs = bench.clock.nowMs;
      await bench.appendFive();
      await bench.log.prune({ maxHistory: 2 }, bench.clock.nowMs);
      expect(bench.log.idBefore(startMs)).toBe(3);
      await bench.log.prune({ maxHistory: 0 }, bench.clock.nowMs);
      expect(bench.log.idBefore(startMs)).toBe(5);
    });
  });

  describe("topics", () => {
    test("returns the count and the last event of each, by name", async () => {
      await bench.appendFive();
      expect(topicsOf(bench.log)).toEqual([
        { topic: "a.x", count: 2, last_id: 3, last_at: "2026-11-23T14:32:00.000Z" },
        { topic: "a.z", count: 1, last_id: 5, last_at: "2026-11-23T14:34:00.000Z" },
        { topic: "b.y", count: 2, last_id: 4, last_at: "2026-11-23T14:33:00.000Z" },
      ]);
    });

    test("forgets what retention removed", async () => {
      await bench.appendFive();
      await bench.log.prune({ maxHistory: 3 }, bench.clock.nowMs);
      expect(topicsOf(bench.log).map(({ topic, count, last_id }) => [topic, count, last_id])).toEqual([
        ["a.x", 1, 3],
        ["a.z", 1, 5],
        ["b.y", 1, 4],
      ]);
      await bench.log.prune({ maxHistory: 1 }, bench.clock.nowMs);
      expect(topicsOf(bench.log).map(({ topic }) => topic)).toEqual(["a.z"]);
    });

    test("starts the count of a topic again if it returns", async () => {
      await bench.log.append(drafts(3));
      await bench.log.prune({ maxHistory: 0 }, bench.clock.nowMs);
      expect(topicsOf(bench.log)).toEqual([]);
      await bench.log.append(drafts(1));
      expect(topicsOf(bench.log).map(({ count, last_id }) => [count, last_id])).toEqual([[1, 4]]);
      expect(idsOf(readAll(bench.log, { topics: startingWith("a") }))).toEqual([4]);
    });
  });
}
