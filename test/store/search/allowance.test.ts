import { describe, expect, test } from "bun:test";
import { Allowance } from "../../../src/store/search/allowance.ts";

/** An allowance whose clock and turns a test moves on. */
class Harness {
  nowMs = 0;
  #endTurn = () => {};
  readonly allowance = new Allowance({
    nowMs: () => this.nowMs,
    later: (callback) => {
      this.#endTurn = callback;
    },
  });

  /** Searches until the time is spent, in steps of a hundredth of a millisecond; returns how long it took. */
  search(isSpent = this.allowance.isSpent): number {
    this.allowance.begin();
    const startMs = this.nowMs;
    do this.nowMs += 0.01;
    while (!isSpent());
    return this.nowMs - startMs;
  }

  endTurn(): void {
    this.#endTurn();
  }
}

describe("the time of a search", () => {
  test("ends, and half of it earlier", () => {
    const half = new Harness();
    const whole = new Harness();
    expect(half.search(half.allowance.isHalfSpent)).toBeLessThan(0.6 * whole.search());
  });

  test("is shared by all searches of a turn: twenty of them take hardly longer than a few", () => {
    const harness = new Harness();
    const alone = harness.search();
    for (let count = 1; count < 20; count++) harness.search();
    expect(harness.nowMs).toBeLessThan(5 * alone);
  });

  test("is never nothing, and is whole again in the next turn", () => {
    const harness = new Harness();
    const alone = harness.search();
    for (let count = 1; count < 20; count++) expect(harness.search()).toBeGreaterThan(alone / 10);
    expect(harness.search()).toBeLessThan(alone / 2);
    harness.endTurn();
    expect(harness.search()).toBeGreaterThanOrEqual(alone);
  });
});
