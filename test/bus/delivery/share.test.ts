import { describe, expect, test } from "bun:test";
import { Share } from "../../../src/bus/delivery/share.ts";

/** A share after some tenths of a second, in each of which somebody waited, with this lag at the end of each. */
function shareAfter(lags: readonly number[], share = new Share(), startMs = 1000): Share {
  share.set(startMs, () => lags[0]);
  for (const [index, lag] of lags.entries()) share.set(startMs + (index + 1) * 100, () => lag);
  return share;
}

describe("the share of replays", () => {
  test("is a thirtieth at first", () => {
    expect(new Share().part).toBeCloseTo(1 / 30);
  });

  test("rises to two thirds within a second when the lag does not fall", () => {
    expect(shareAfter(Array(10).fill(5000)).part).toBeCloseTo(2 / 3);
  });

  test("rises when the lag falls too slowly to be over in seconds", () => {
    const lags = Array.from({ length: 10 }, (_, tenth) => 1_000_000 - tenth * 1000);
    expect(shareAfter(lags).part).toBeCloseTo(2 / 3);
  });

  test("sinks again when the lag falls fast enough", () => {
    const share = shareAfter(Array(10).fill(1_000_000));
    const lags = Array.from({ length: 30 }, (_, tenth) => 1_000_000 * 0.9 ** tenth);
    expect(shareAfter(lags, share, 3000).part).toBeLessThan(0.04);
  });

  test("does not rise for readers who leave nothing to do", () => {
    const share = new Share();
    for (let tenth = 1; tenth < 50; tenth++) {
      share.rest();
      share.set(tenth * 100, () => 1_000_000);
    }
    expect(share.part).toBeCloseTo(1 / 30);
  });

  test("is saved up while others work, for one slice and not for ever", () => {
    const share = new Share();
    share.pass(29);
    expect(share.budgetMs).toBeCloseTo(1);
    share.pass(1_000_000);
    expect(share.budgetMs).toBe(100);
    share.spend(130);
    expect(share.budgetMs).toBeUndefined();
    share.pass(29 * 40);
    expect(share.budgetMs).toBeGreaterThan(0);
  });

  test("is not saved up by who has nothing to do, and what was used while the loop is idle is forgiven", () => {
    const share = new Share();
    share.pass(1000);
    share.rest();
    expect(share.budgetMs).toBe(0);
    share.spend(10);
    share.forgive();
    expect(share.budgetMs).toBe(0);
  });
});
