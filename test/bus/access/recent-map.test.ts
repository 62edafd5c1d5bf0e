import { describe, expect, test } from "bun:test";
import { RecentMap } from "../../../src/bus/access/recent-map.ts";

describe("a map of what was used lately", () => {
  test("keeps what was set or found lately, and a bounded number of entries", () => {
    const map = new RecentMap<number, number>(100);
    for (let key = 0; key < 1000; key++) {
      map.set(key, -key);
      expect(map.get(7)).toBe(key < 7 ? undefined : -7);
    }
    const newest = Array.from({ length: 40 }, (_, index) => 960 + index);
    expect(newest.map((key) => map.get(key))).toEqual(newest.map((key) => -key));
    expect([8, 500, 890].map((key) => map.get(key))).toEqual([undefined, undefined, undefined]);
  });

  test("gives the newest value, and nothing once it was cleared", () => {
    const map = new RecentMap<string, number>(4);
    map.set("a", 1);
    for (const key of ["b", "c"]) map.set(key, 0);
    map.set("a", 2);
    expect(map.get("a")).toBe(2);
    map.clear();
    expect(map.get("a")).toBeUndefined();
  });
});
