import { describe, expect, test } from "bun:test";
import { histogram, percentiles } from "../../src/cli/bench.ts";

describe("percentiles", () => {
  test("are the times below which that percentage of the values lies", () => {
    const times = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentiles(times)).toEqual({ p50: 50, p90: 90, p99: 99, max: 100 });
  });

  test("of one time are that time, to the microsecond", () => {
    expect(percentiles([1.23456])).toEqual({ p50: 1.235, p90: 1.235, p99: 1.235, max: 1.235 });
  });

  test("of no times are null", () => {
    expect(percentiles([])).toEqual({ p50: null, p90: null, p99: null, max: null });
  });
});

test("a histogram has a bar for each doubling, the longest for the most", () => {
  expect(histogram([0.01, 0.9, 1, 1.1, 3])).toBe(
    [
      `  ≤ 0.125    ${"█".repeat(20)} 1`,
      `  ≤ 1        ${"█".repeat(40)} 2`,
      `  ≤ 2        ${"█".repeat(20)} 1`,
      `  ≤ 4        ${"█".repeat(20)} 1`,
      "  p50 1  p90 3  p99 3  max 3\n",
    ].join("\n"),
  );
});
