import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { scopeOf, within } from "../../../src/bus/access/scope.ts";
import { PatternSet } from "../../../src/bus/patterns/pattern-set.ts";

const segment = fc.constantFrom("a", "b", "ab", "x1");
const topic = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("."));
const piece = fc.constantFrom("a", "b", ".", "*", "?", "[ab]", "[^a]", "{a,b.x1}", "x1");
const pattern = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(""));
const patterns = fc.array(pattern, { minLength: 1, maxLength: 3 });

describe("a request within a scope", () => {
  test("matches what both match, and nothing else, however often it is asked", () => {
    fc.assert(
      fc.property(patterns, patterns, fc.array(topic, { minLength: 1 }), (allowed, asked, topics) => {
        const set = PatternSet.parse(asked);
        const both = within(scopeOf(allowed), set);
        const expected = (one: string) => PatternSet.parse(allowed).matches(one) && set.matches(one);
        for (const one of [...topics, ...topics]) expect(both.matches(one)).toBe(expected(one));
      }),
    );
  });

  test("has the same key for the same patterns in any order, and a different key for a different scope", () => {
    const asked = PatternSet.parse(["*"]);
    expect(within(scopeOf(["a.*", "b"]), asked).key).toBe(within(scopeOf(["b", "a.*"]), asked).key);
    expect(within(scopeOf(["a.*"]), asked).key).not.toBe(within(scopeOf(["b"]), asked).key);
    expect(within(scopeOf(["a.*"]), asked).key).not.toBe(asked.key);
    expect(within(scopeOf(["*"]), asked)).toBe(asked);
  });

  test("matches nothing within an empty scope", () => {
    expect(within(scopeOf([]), PatternSet.parse(["*"])).matches("a")).toBe(false);
    expect(scopeOf([]).isNothing).toBe(true);
  });

  test("is right for a shared scope, with more scopes than are kept for sharing", () => {
    let wrong = 0;
    for (let index = 0; index < 25_000; index++) {
      const scope = scopeOf([`a.${index % 12_000}.*`]);
      if (!scope.matches(`a.${index % 12_000}.x`) || scope.matches("a.x")) wrong++;
    }
    expect(wrong).toBe(0);
  });
});
