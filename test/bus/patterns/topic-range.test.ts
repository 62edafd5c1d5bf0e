import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { scopeOf, within } from "../../../src/bus/access/scope.ts";
import { parsePattern } from "../../../src/bus/patterns/pattern.ts";
import { PatternSet } from "../../../src/bus/patterns/pattern-set.ts";
import { isWithin, type TopicRange, unionOf } from "../../../src/bus/patterns/topic-range.ts";

/** `a.*` stands for the prefix `a.`, anything else for a whole topic. */
function ranges(...texts: string[]): TopicRange[] {
  return texts.map((text) => ({ prefix: text.replace("*", ""), isWhole: !text.endsWith("*") }));
}

function textsOf(list: readonly TopicRange[]): string[] {
  return list.map(({ prefix, isWhole }) => (isWhole ? prefix : `${prefix}*`));
}

describe("the ranges of a pattern", () => {
  test.each([
    ["*", ["*"]],
    ["a.b", ["a.b"]],
    ["a.*", ["a.*"]],
    ["a.b?c", ["a.b*"]],
    ["a.[b].c", ["a.b.c"]],
    ["a.[b-c].d", ["a.*"]],
    ["a\\.b", ["a.b"]],
    ["*.a", ["*"]],
    ["{a,b}.c", ["a.c", "b.c"]],
    ["{a,}.c*", [".c*", "a.c*"]],
    ["{a*,ab,b}", ["a*", "b"]],
    ["é😀.*", ["é😀.*"]],
  ])("are those of its literal prefixes: %p", (pattern, expected) => {
    expect(textsOf(parsePattern(pattern).ranges)).toEqual(expected);
  });

  test("contain every topic that Go's path.Match matches", () => {
    const rows = readFileSync(join(import.meta.dir, "../../vectors/path-match.jsonl"), "utf8")
      .trim()
      .split("\n");
    for (const row of rows) {
      const [pattern, topic, answer] = JSON.parse(row) as [string, string, string];
      if (answer !== "yes") continue;
      expect([pattern, topic, parsePattern(pattern).ranges.some((range) => isWithin(range, topic))]).toEqual([
        pattern,
        topic,
        true,
      ]);
    }
  });
});

describe("ranges", () => {
  test("that another one covers are omitted from a union", () => {
    expect(textsOf(unionOf(ranges("b.c", "a", "b.*", "a.b", "b.c.*", "a")))).toEqual(["a", "a.b", "b.*"]);
  });

  test("of a subscriber are those of its pattern within its scope", () => {
    expect(textsOf(within(scopeOf(["user.17.*"]), PatternSet.parse(["*"])).ranges)).toEqual(["user.17.*"]);
    expect(textsOf(within(scopeOf(["user.17.*"]), PatternSet.parse(["user.18.*"])).ranges)).toEqual([]);
  });
});
