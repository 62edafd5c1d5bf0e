import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AffixTree } from "../../../src/bus/interest/affix-tree.ts";

/** The values of all affixes that the text has. */
function allOf(tree: AffixTree<number>, text: string): number[] {
  const found: number[] = [];
  tree.addAllOf(text, found);
  return found;
}

describe("a tree of prefixes", () => {
  test("finds those of a text, shortest first", () => {
    const tree = new AffixTree<number>("prefixes");
    for (const [value, prefix] of ["user.", "", "user.17.", "user.1", "order.", "user.17.x"].entries()) {
      tree.set(prefix, value);
    }
    expect(allOf(tree, "user.17.created")).toEqual([1, 0, 3, 2]);
  });
});

describe("a tree of suffixes", () => {
  test("finds those of a text, shortest first", () => {
    const tree = new AffixTree<number>("suffixes");
    for (const [value, suffix] of [".17", "", "7", ".117", "x.17"].entries()) tree.set(suffix, value);
    expect(allOf(tree, "x.17")).toEqual([1, 2, 0, 4]);
  });
});

const affix = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 6 });
const change = fc.record({ affix, isSet: fc.boolean() });

describe.each(["prefixes", "suffixes"] as const)("a tree of %s, beside a plain map", (side) => {
  const isOf = (text: string, one: string) => (side === "prefixes" ? text.startsWith(one) : text.endsWith(one));

  test("holds what was set and not deleted, and nothing once all of it is deleted", () => {
    fc.assert(
      fc.property(fc.array(change), fc.array(affix), (changes, texts) => {
        const tree = new AffixTree<number>(side);
        const plain = new Map<string, number>();
        for (const [value, { affix: one, isSet }] of changes.entries()) {
          if (isSet) tree.set(one, value);
          else tree.delete(one);
          if (isSet) plain.set(one, value);
          else plain.delete(one);
        }
        for (const text of texts) {
          const expected = [...plain].filter(([one]) => isOf(text, one)).sort(([a], [b]) => a.length - b.length);
          expect(allOf(tree, text)).toEqual(expected.map(([, value]) => value));
          expect(tree.get(text)).toBe(plain.get(text));
        }
        expect(tree.isEmpty).toBe(plain.size === 0);
        for (const one of plain.keys()) tree.delete(one);
        expect(tree.isEmpty).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
