import { describe, expect, test } from "bun:test";
import { Histogram, Meter, type SlowOperation } from "../../src/bus/meter.ts";

describe("a histogram", () => {
  test("counts a value at a bound below it, and values above all bounds separately", () => {
    const histogram = new Histogram([1, 2, 4]);
    for (const value of [0, 1, 1.5, 2, 4, 5]) histogram.observe(value);
    expect(histogram).toMatchObject({ counts: [2, 2, 1, 1], sum: 13.5 });
  });
});

describe("the meter", () => {
  test("reports slow commits and slices, and no others", () => {
    const slow: SlowOperation[] = [];
    const meter = new Meter((one) => slow.push(one));
    meter.commit(1, 250, 1);
    meter.commit(1, 251, 1);
    meter.slice(40);
    meter.slice(41);
    expect(slow).toEqual([
      { operation: "commit", durationMs: 251 },
      { operation: "prune slice", durationMs: 41 },
    ]);
  });

  test("counts a request by method, route and status", () => {
    const meter = new Meter();
    for (const status of [200, 200, 404]) meter.request("GET", "/api/events/:id", status, 10);
    expect([...meter.http].map(([key, { counts }]) => [key, counts.reduce((sum, count) => sum + count)])).toEqual([
      ["GET /api/events/:id 200", 2],
      ["GET /api/events/:id 404", 1],
    ]);
  });
});
