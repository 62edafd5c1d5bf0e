import { describe, expect, test } from "bun:test";
import type { TopicSummary } from "../../src/client/index.ts";
import { RATE_SLOTS, Rates } from "../../src/dashboard/state/rates.ts";

const summary = (topic: string, count: number) => ({ topic, count, last_id: 1, last_at: "2026-11-23T14:30:00.123Z" });

const byTopic = () => new Rates<TopicSummary>(({ topic, count }) => [topic, count]);

/** Takes answers a second apart. */
function clockOf(rates: Rates<TopicSummary>) {
  let nowMs = 0;
  return (counts: Readonly<Record<string, number>>, isUnknownNew = true, seconds = 1) => {
    nowMs += seconds * 1000;
    const found = Object.entries(counts).map(([topic, count]) => summary(topic, count));
    return Object.fromEntries(rates.take(found, nowMs, isUnknownNew).map((one) => [one.topic, one.rates]));
  };
}

describe("the rates of topics", () => {
  test("are those between two answers", () => {
    const take = clockOf(byTopic());
    expect(take({ a: 5 }, false)).toEqual({ a: [] });
    expect(take({ a: 7 }, true, 2)).toEqual({ a: [1] });
    expect(take({ a: 10 })).toEqual({ a: [1, 3] });
  });

  test("count a new topic from nothing on, and one that moved to this page from now on", () => {
    const take = clockOf(byTopic());
    take({ a: 5 }, false);
    expect(take({ a: 5, b: 4 }, true)).toEqual({ a: [0], b: [4] });
    expect(take({ c: 9 }, false)).toEqual({ c: [] });
  });

  test("do not go below zero when retention removes events", () => {
    const take = clockOf(byTopic());
    take({ a: 5 }, false);
    expect(take({ a: 2 })).toEqual({ a: [0] });
  });

  test("have no gap for a topic that was out of view", () => {
    const take = clockOf(byTopic());
    take({ a: 0, b: 0 }, false);
    expect(take({ b: 1 })).toEqual({ b: [1] });
    take({ b: 1 });
    expect(take({ a: 6, b: 1 })).toEqual({ a: [2, 2, 2], b: [1, 0, 0] });
  });

  test("go back two minutes and no further", () => {
    const take = clockOf(byTopic());
    take({ a: 0, b: 0 }, false);
    for (let count = 1; count <= 2 * RATE_SLOTS; count++) take({ a: count });
    const { a, b } = take({ a: 0, b: 1 });
    expect(a).toEqual([...Array(RATE_SLOTS - 1).fill(1), 0]);
    expect(b).toHaveLength(RATE_SLOTS);
  });

  test("are forgotten when many topics were seen since", () => {
    const take = clockOf(byTopic());
    take({ a: 1, b: 1 }, false);
    take({ ...Object.fromEntries(Array.from({ length: 4999 }, (_, index) => [`n${index}`, 1])), b: 1 }, false);
    expect(take({ a: 3, b: 3 }, false)).toEqual({ a: [], b: [0, 2] });
  });
});
