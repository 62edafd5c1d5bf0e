import { describe, expect, test } from "bun:test";
import { Event, SeriesName } from "../../../src/bus/event.ts";
import { type Interest, InterestTable } from "../../../src/bus/interest/interest.ts";
import { parseRawJson } from "../../../src/bus/json.ts";
import { PatternSet } from "../../../src/bus/patterns/pattern-set.ts";
import { EVERY_TOPIC } from "../../../src/bus/patterns/topic-range.ts";
import { parseTopic } from "../../../src/bus/topic.ts";

/** Events with these topics and the ids 1, 2, 3 … */
function batchOf(...topics: string[]): Event[] {
  const data = parseRawJson("null");
  return topics.map((topic, index) => {
    return new Event(index + 1, new SeriesName(parseTopic(topic), ""), "1970-01-01T00:00:00.000Z", data);
  });
}

/** An interest that records what it is handed. */
function interestIn(...patterns: string[]) {
  const told: (number | "end")[] = [];
  const interest: Interest = {
    topics: PatternSet.parse(patterns),
    deliver: (event) => void told.push(event.id),
    endBatch: () => void told.push("end"),
  };
  return { interest, told };
}

describe("an interest table", () => {
  test("hands over what matches, once, in order, and ends the batch", () => {
    const table = new InterestTable();
    const { interest, told } = interestIn("a.*", "*.x");
    table.add(interest);
    table.deliver(batchOf("a.x", "b.x", "b.y", "a.y"));
    expect(told).toEqual([1, 2, 4, "end"]);
  });

  test("ends no batch in which nothing matched", () => {
    const table = new InterestTable();
    const { interest, told } = interestIn("a");
    table.add(interest);
    table.deliver(batchOf("b", "c"));
    expect(told).toEqual([]);
  });

  test("finds an interest that is added after its topic was first seen, and forgets a removed one", () => {
    const table = new InterestTable();
    const { interest, told } = interestIn("a");
    table.deliver(batchOf("a"));
    table.add(interest);
    table.deliver(batchOf("a"));
    table.remove(interest);
    table.deliver(batchOf("a"));
    expect(told).toEqual([1, "end"]);
  });

  test("removes an interest in the middle of a batch: it gets nothing more, and others lose nothing", () => {
    const table = new InterestTable();
    const other = interestIn("*");
    const told: number[] = [];
    const leaving: Interest = {
      topics: PatternSet.parse(["*"]),
      deliver: ({ id }) => {
        told.push(id);
        table.remove(leaving);
      },
    };
    table.add(leaving);
    table.add(other.interest);
    table.deliver(batchOf("a", "a", "b"));
    expect(told).toEqual([1]);
    expect(other.told).toEqual([1, 2, 3, "end"]);
  });

  test("asks a pattern once for each topic, not for each event", () => {
    const asked: string[] = [];
    const topics = { matches: (topic: string) => asked.push(topic) > 0, ranges: EVERY_TOPIC };
    const table = new InterestTable();
    table.add({ topics, deliver: () => {} });
    table.deliver(batchOf("a", "a", "b", "a"));
    table.deliver(batchOf("b", "a"));
    expect(asked).toEqual(["a", "b"]);
  });

  test("delivers nothing of a batch to an interest that is added while it is delivered", () => {
    const table = new InterestTable();
    const { interest, told } = interestIn("*");
    table.add({ topics: PatternSet.parse(["*"]), deliver: () => table.add(interest) });
    table.deliver(batchOf("a", "b"));
    table.deliver(batchOf("c"));
    expect(told).toEqual([1, "end"]);
  });

  test.each([
    ["that begin differently", (index: number) => `user.${index}.*`],
    ["that begin differently in the middle of a segment", (index: number) => `user.1${index}*`],
    ["that end differently", (index: number) => `*.${index}`],
    ["that begin alike and end differently", (index: number) => `user.*.${index}`],
    ["of one topic", (index: number) => `user.${index}.created`],
  ])("tries few of the patterns %s", (_, patternOf) => {
    let come = 0;
    const table = new InterestTable();
    for (let index = 100; index < 1100; index++) {
      const topics = PatternSet.parse([patternOf(index)]);
      const matches = (topic: string) => {
        come++;
        return topics.matches(topic);
      };
      table.add({ topics: { ...topics, matches }, deliver: () => void come++ });
    }
    table.deliver(batchOf("user.99.created", "user.177.99", "user.177.created", "other.99"));
    expect(come).toBeLessThan(4);
  });

  test("matches again when half of the candidates have gone, and delivers nothing to these", () => {
    const table = new InterestTable();
    const all = Array.from({ length: 10 }, () => interestIn("[a-b]"));
    for (const { interest } of all) table.add(interest);
    table.deliver(batchOf("a"));
    for (const { interest } of all.slice(0, 8)) table.remove(interest);
    const late = interestIn("[^b]");
    table.add(late.interest);
    table.deliver(batchOf("a", "b"));
    expect(all.map(({ told }) => told.length)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 5, 5]);
    expect(late.told).toEqual([1, "end"]);
  });

  test("remembers a bounded number of topics, and is right beyond it", () => {
    const table = new InterestTable();
    const { interest, told } = interestIn("t.[1]", "t.19999?");
    table.add(interest);
    const topics = Array.from({ length: 200_000 }, (_, index) => `t.${index}`);
    table.deliver(batchOf(...topics));
    table.deliver(batchOf("t.1", "t.199991"));
    expect(told).toEqual([2, ...Array.from({ length: 10 }, (_, index) => 199_991 + index), "end", 1, 2, "end"]);
  });
});
