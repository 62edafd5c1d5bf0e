import { describe, expect, test } from "bun:test";
import { Credit, type Lags, Share } from "../../../src/bus/delivery/share.ts";

const far = (lag: number): Lags => ({ near: undefined, far: lag });
const near = (lag: number): Lags => ({ near: lag, far: undefined });

/** A share after some tenths of a second, each with a reader waiting, and with these lags at its end. */
function shareAfter(lags: readonly Lags[], share = new Share(), startMs = 1000): Share {
  share.set(startMs, () => lags[0] ?? far(0));
  for (const [index, one] of lags.entries()) share.set(startMs + (index + 1) * 100, () => one);
  return share;
}

describe("the share of replays", () => {
  test("is a thirtieth at first", () => {
    expect(new Share().part).toBeCloseTo(1 / 30);
  });

  test("rises to two thirds within a second when the lag does not fall", () => {
    expect(shareAfter(Array(10).fill(far(5000))).part).toBeCloseTo(2 / 3);
  });

  test("rises when the lag falls too slowly to be over in seconds", () => {
    const lags = Array.from({ length: 10 }, (_, tenth) => far(1_000_000 - tenth * 1000));
    expect(shareAfter(lags).part).toBeCloseTo(2 / 3);
  });

  test("falls again when the lag falls fast enough", () => {
    const share = shareAfter(Array(10).fill(far(1_000_000)));
    const lags = Array.from({ length: 30 }, (_, tenth) => far(1_000_000 * 0.9 ** tenth));
    expect(shareAfter(lags, share, 3000).part).toBeLessThan(0.04);
  });

  test("rises for a reader that is now near and now far, as events arrive as fast as it reads", () => {
    const lags = Array.from({ length: 10 }, (_, tenth) => (tenth % 2 === 0 ? near(65_000) : far(66_000)));
    expect(shareAfter(lags).part).toBeCloseTo(2 / 3);
  });

  test("rises for a near reader that falls back, though a far one comes closer", () => {
    const lags = Array.from({ length: 10 }, (_, tenth) => ({ near: 1000 + tenth, far: 1_000_000 * 0.8 ** tenth }));
    expect(shareAfter(lags).part).toBeCloseTo(2 / 3);
  });

  test("does not rise for readers that leave no work", () => {
    const share = new Share();
    for (let tenth = 1; tenth < 50; tenth++) {
      share.rest();
      share.set(tenth * 100, () => far(1_000_000));
    }
    expect(share.part).toBeCloseTo(1 / 30);
  });
});

describe("the credit of replays", () => {
  test("is saved up for one slice and not for ever, and what was used is paid back", () => {
    const credit = new Credit();
    credit.gain(1);
    expect(credit.budgetMs).toBe(1);
    credit.gain(1_000_000);
    expect(credit.budgetMs).toBe(100);
    credit.spend(130);
    expect(credit.budgetMs).toBeUndefined();
    credit.gain(40);
    expect(credit.budgetMs).toBe(10);
  });

  test("is not saved up while there is nothing to do, and forgiven while the loop is idle", () => {
    const credit = new Credit();
    credit.gain(50);
    credit.rest();
    expect(credit.budgetMs).toBe(0);
    credit.spend(10);
    credit.forgive();
    expect(credit.budgetMs).toBe(0);
  });
});
