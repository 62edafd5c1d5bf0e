import { describe, expect, test } from "bun:test";
import { Allowance } from "../../../src/store/search/allowance.ts";

describe("the time of a search", () => {
  let nowMs = 0;
  const allowance = new Allowance(() => nowMs);

  /** Searches until the time is spent, in steps of a hundredth of a millisecond; returns how long it took. */
  function search(isSpent = allowance.isSpent): number {
    allowance.begin();
    const startMs = nowMs;
    do nowMs += 0.01;
    while (!isSpent());
    return nowMs - startMs;
  }

  test("ends, and its parts earlier", () => {
    expect(search(allowance.isHalfSpent)).toBeLessThan(0.6 * search());
    expect(search(allowance.isMostlySpent)).toBeLessThan(0.8 * search());
  });

  test("is the same for each search", () => {
    const alone = search();
    for (let count = 1; count < 20; count++) expect(search()).toBeCloseTo(alone, 1);
  });
});
