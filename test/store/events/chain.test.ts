import { describe, expect, test } from "bun:test";
import { skipDepthOf, spanOf } from "../../../src/store/events/chain.ts";

/** The rule as Myers gives it: two trees of one size and the event after them make one tree. */
function skipsByRule(count: number): number[] {
  const skips: number[] = [];
  for (let depth = 0; depth < count; depth++) {
    const last = depth - 1;
    const skip = skips[last] ?? -1;
    const skipOfSkip = skip < 0 ? -1 : (skips[skip] ?? -1);
    skips.push(skip >= 0 && last - skip === skip - skipOfSkip ? skipOfSkip : last);
  }
  return skips;
}

describe("the skip of an event", () => {
  test("follows the rule of skew-binary lists, from its depth alone", () => {
    const count = 100_000;
    expect(Array.from({ length: count }, (_, depth) => skipDepthOf(depth))).toEqual(skipsByRule(count));
  });

  test.each([
    [2 ** 30 - 2, 2 ** 30 - 1],
    [2 ** 31 - 2, 2 ** 31 - 1],
    [2 ** 32 - 2, 2 ** 32 - 1],
    [2 ** 32 - 1, 1],
    [2 ** 40, 1],
    [2 ** 52 - 2, 2 ** 52 - 1],
  ])("of depth %p goes back by %p", (depth, span) => {
    expect(spanOf(depth)).toBe(span);
  });

  test("leads to any depth in a number of steps that grows with the logarithm of the distance", () => {
    const ways: [number, number][] = [
      [1_000_000, 0],
      [1_000_000, 999_990],
      [123_456_789, 1234],
    ];
    for (const [from, to] of ways) {
      let steps = 0;
      for (let depth = from; depth > to; steps++) depth = skipDepthOf(depth) >= to ? skipDepthOf(depth) : depth - 1;
      expect(steps).toBeLessThanOrEqual(3 * Math.log2(from - to) + 3);
    }
  });
});
