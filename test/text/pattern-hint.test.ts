import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parsePattern } from "../../src/bus/patterns/pattern.ts";
import { parseTopic } from "../../src/bus/topic.ts";
import { patternHint } from "../../src/text/pattern-hint.ts";

describe("a pattern that no topic can match", () => {
  test.each([
    ["a.b,c.d", "{a,b}"],
    ["(a|b)", "{a,b}"],
    ["a|b", "{a,b}"],
    ["a/b", "separated by dots"],
    ["a b", "no white space"],
    ["!a", "no negation"],
    ["a..b", "no empty segment"],
    [".a*", "no empty segment"],
    ["a.", "no empty segment"],
    ["orders.>", "write orders.*"],
    ["orders.#", "write orders.*"],
    [">", "write *"],
  ])("as %s, comes with a hint", (pattern, hint) => {
    expect(patternHint(pattern)).toContain(hint);
  });

  test.each(["*", "orders.*", "a.b", "{a,b}.c", "{a/b,c}", "[,]a", "a[^/]b", "a\\*", "?", "a.[x]", "a>b"])(
    "is not %s, for which there is no hint",
    (pattern) => expect(patternHint(pattern)).toBeUndefined(),
  );

  test("is none that a topic matches", () => {
    const part = fc.constantFrom("a", "b", ".", "*", "?", "[a,]", "{a,b/}", "\\", ",", "/", "|");
    const patterns = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
    const topics = fc.array(fc.constantFrom("a", "b", "a.b", ".a"), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        patterns,
        topics.map((parts) => parts.join("")),
        (pattern, topic) => {
          fc.pre(isValid(() => parsePattern(pattern)) && isValid(() => parseTopic(topic)));
          if (patternHint(pattern) !== undefined) expect(parsePattern(pattern).matches(topic)).toBe(false);
        },
      ),
    );
  });
});

function isValid(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
}
