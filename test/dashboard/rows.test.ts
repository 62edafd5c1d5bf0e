import { describe, expect, test } from "bun:test";
import { type EventRow, PageRows, TailRows } from "../../src/dashboard/state/rows.ts";

const row = (key: number, json = "{}"): EventRow => ({
  kind: "event",
  key,
  topic: "t",
  source: "",
  createdAt: "",
  json,
});
const keysOf = (rows: TailRows) => Array.from({ length: rows.length }, (_, index) => rows.at(index)?.key);

describe("the rows of the tail", () => {
  test("leave at the top when there are too many", () => {
    const rows = new TailRows({ rows: 3, text: 1000 });
    for (const key of [1, 2, 3, 4, 5]) rows.push(row(key));
    expect(keysOf(rows)).toEqual([3, 4, 5]);
    expect(rows.dropped).toBe(2);
  });

  test("leave at the top when their text is too large, except the newest", () => {
    const rows = new TailRows({ rows: 100, text: 10 });
    for (const key of [1, 2, 3]) rows.push(row(key, "123456"));
    expect(keysOf(rows)).toEqual([3]);
    rows.push(row(4, "more than ten characters"));
    expect(keysOf(rows)).toEqual([4]);
  });

  test("are found by their key after many have left", () => {
    const rows = new TailRows({ rows: 1000, text: 1e9 });
    for (let key = 1; key <= 25_000; key++) rows.push(row(key * 2));
    expect(rows.length).toBe(1000);
    expect(rows.at(rows.indexOf(49_000))?.key).toBe(49_000);
    expect(rows.indexOf(49_001)).toBe(-1);
    expect(rows.indexOf(2)).toBe(-1);
  });

  test("start again when they are cleared", () => {
    const rows = new TailRows({ rows: 1, text: 1000 });
    for (const key of [1, 2]) rows.push(row(key));
    rows.clear();
    expect([rows.length, rows.dropped, rows.at(0)]).toEqual([0, 0, undefined]);
  });
});

test("the rows of a page are found in any order", () => {
  const rows = new PageRows([row(9), row(4), row(2)]);
  expect([rows.indexOf(4), rows.indexOf(5), rows.at(2)?.key]).toEqual([1, -1, 2]);
});
