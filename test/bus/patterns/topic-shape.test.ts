import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { scopeOf, within } from "../../../src/bus/access/scope.ts";
import { parsePattern } from "../../../src/bus/patterns/pattern.ts";
import { PatternSet } from "../../../src/bus/patterns/pattern-set.ts";
import { intersectionOfShapes, isLike, type TopicShape, unionOfShapes } from "../../../src/bus/patterns/topic-shape.ts";

/** `a.*b` stands for what begins with `a.` and ends with `b`, a text without a star for a whole topic. */
function shapes(...texts: string[]): TopicShape[] {
  return texts.map((text) => {
    const [prefix = "", suffix] = text.split("*");
    return { prefix, suffix: suffix ?? "", isWhole: suffix === undefined, isExact: false };
  });
}

function textsOf(list: readonly TopicShape[]): string[] {
  return list.map(({ prefix, suffix, isWhole }) => (isWhole ? prefix : `${prefix}*${suffix}`));
}

function rowsOfGo(): [pattern: string, topic: string, answer: string][] {
  const file = readFileSync(join(import.meta.dir, "../../vectors/path-match.jsonl"), "utf8");
  return file
    .trimEnd()
    .split("\n")
    .map((row) => JSON.parse(row));
}

describe("the shapes of a pattern", () => {
  test.each([
    ["*", ["*"]],
    ["a.b", ["a.b"]],
    ["a.*", ["a.*"]],
    ["*.a", ["*.a"]],
    ["a.*.b", ["a.*.b"]],
    ["a*b*c", ["a*c"]],
    ["a.[b].?\\*", ["a.b.**"]],
    ["{a,b*}.[cd]é😀", ["a.*é😀", "b*é😀"]],
    ["{a,}", ["a", ""]],
  ])("are what its alternatives begin and end with: %p", (pattern, expected) => {
    const found = parsePattern(pattern).shapes.map(({ prefix, suffix, isWhole }) => {
      return isWhole ? prefix : `${prefix}*${suffix}`;
    });
    expect(found).toEqual(expected);
  });

  test("fit every topic that Go's path.Match matches", () => {
    const missed = rowsOfGo().filter(([pattern, topic, answer]) => {
      return answer === "yes" && !parsePattern(pattern).shapes.some((shape) => isLike(shape, topic));
    });
    expect(missed).toEqual([]);
  });

  test("describe, with the texts between them, all of a pattern of text and stars", () => {
    for (const text of ["a", "*", "a.*", "*.a", "a*b*", "{a,*b}*", "\\*[a]"])
      expect(parsePattern(text).isPlain).toBe(true);
    for (const text of ["?", "a*b?", "[ab]", "{a,b?}", "[^a]*"]) expect(parsePattern(text).isPlain).toBe(false);
  });
});

describe("shapes", () => {
  test("that another one covers are omitted from a union", () => {
    expect(textsOf(unionOfShapes(shapes("b.*c", "a", "b.*", "a.b", "b.c.*", "a")))).toEqual(["a", "a.b", "b.*"]);
    expect(textsOf(unionOfShapes(shapes("*.x", "*.y.x", "*.x")))).toEqual(["*.x"]);
  });

  test("intersect in the topics of both", () => {
    const both = intersectionOfShapes(shapes("user.17.*", "a", "b.*", "c*d"), shapes("user.*x", "b.c", "a", "d", "*d"));
    expect(textsOf(both)).toEqual(["a", "b.*d", "b.c", "c*d", "user.17.*d", "user.17.*x"]);
  });

  test("of a subscriber are those of its pattern within its scope", () => {
    const shapesWithin = (scope: string, asked: string) => within(scopeOf([scope]), PatternSet.parse([asked])).shapes;
    expect(textsOf(shapesWithin("user.17.*", "*"))).toEqual(["user.17.*"]);
    expect(textsOf(shapesWithin("user.*", "*.created"))).toEqual(["user.*.created"]);
    expect(textsOf(shapesWithin("user.17.*", "user.18.*"))).toEqual([]);
  });

  test("are exact if one end, or the whole topic, decides", () => {
    const isExact = (scope: string, asked: string) => {
      return within(scopeOf([scope]), PatternSet.parse([asked])).shapes.map((shape) => shape.isExact);
    };
    expect(isExact("a.*", "*")).toEqual([true]);
    expect(isExact("a.*", "a.b")).toEqual([true]);
    expect(isExact("*.c", "{a.b,*}.c")).toEqual([true]);
    expect(isExact("a.*", "*.b")).toEqual([false]);
    expect(isExact("a.*.b", "a.b")).toEqual([false]);
    expect(isExact("a.*.a.b", "a.a.b")).toEqual([false]);
    expect(isExact("a?*", "a*")).toEqual([false]);
  });

  const text = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 3 });
  const shape = fc
    .record({ prefix: text, suffix: text, isWhole: fc.boolean(), isExact: fc.constant(false) })
    .map((one): TopicShape => {
      return one.isWhole ? { ...one, suffix: "" } : one;
    });
  const list = fc.array(shape, { maxLength: 5 });
  const isLikeAny = (some: readonly TopicShape[], topic: string) => some.some((one) => isLike(one, topic));

  test("keep every topic in a union, and those of both lists in an intersection, and no other", () => {
    const topics = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 6 }));
    fc.assert(
      fc.property(list, list, topics, (a, b, some) => {
        for (const topic of some) {
          expect(isLikeAny(unionOfShapes(a), topic)).toBe(isLikeAny(a, topic));
          expect(isLikeAny(intersectionOfShapes(a, b), topic)).toBe(isLikeAny(a, topic) && isLikeAny(b, topic));
        }
      }),
    );
  });

  test("of two very long lists intersect in a superset", () => {
    const long = shapes(...Array.from({ length: 100 }, (_, index) => `t.${index}.*`));
    expect(isLikeAny(intersectionOfShapes(long, long), "t.99.x")).toBe(true);
  });
});
