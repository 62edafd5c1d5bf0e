import { describe, expect, test } from "bun:test";
import { Event, SeriesName } from "../../src/bus/event.ts";
import { type Interest, InterestTable } from "../../src/bus/interest.ts";
import { parseRawJson } from "../../src/bus/json.ts";
import { PatternSet } from "../../src/bus/pattern-set.ts";
import { parseTopic } from "../../src/bus/topic.ts";
import { EVERY_TOPIC } from "../../src/bus/topic-range.ts";

/** Events with these topics and the ids 1, 2, 3 … */
function batchOf(...topics: string[]): Event[] {
  const data = parseRawJson("null");
  return topics.map((topic, index) => {
    return new Event(index + 1, new SeriesName(parseTopic(topic), ""), "1970-01-01T00:00:00.000Z", data);
  });
}

/** An interest that writes down what it is told. */
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

  test("knows of an interest that comes after its topic was first seen, and forgets one that goes", () => {
    const table = new InterestTable();
    const { interest, told } = interestIn("a");
    table.deliver(batchOf("a"));
    table.add(interest);
    table.deliver(batchOf("a"));
    table.remove(interest);
    table.deliver(batchOf("a"));
    expect(told).toEqual([1, "end"]);
  });

  test("lets an interest go in the middle of a batch, without a word more to it and nothing lost to others", () => {
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

  test("remembers a bounded number of topics, and is right beyond it", () => {
    const table = new InterestTable();
    const { interest, told } = interestIn("t.1", "t.19999");
    table.add(interest);
    const topics = Array.from({ length: 20_000 }, (_, index) => `t.${index}`);
    table.deliver(batchOf(...topics));
    table.deliver(batchOf("t.1"));
    expect(told).toEqual([2, 20_000, "end", 1, "end"]);
  });
});
