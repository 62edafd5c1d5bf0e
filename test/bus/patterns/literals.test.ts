import { describe, expect, test } from "bun:test";
import { scopeOf, within } from "../../../src/bus/access/scope.ts";
import { PatternSet } from "../../../src/bus/patterns/pattern-set.ts";

function literalsOf(...patterns: string[]): readonly string[] | undefined {
  return PatternSet.parse(patterns).literals;
}

describe("the literals of patterns", () => {
  test.each<[string[], string[] | undefined]>([
    [["orders.created"], ["orders.created"]],
    [["*.sensor3"], [".sensor3"]],
    [["site*12345.*"], ["12345."]],
    [["site*1234"], ["1234"]],
    [["[a-t]*123?x"], ["123"]],
    [["\\a[b]c*"], ["abc"]],
    [["{ab*,*cde}"], ["ab", "cde"]],
    [
      ["a*", "*bc"],
      ["a", "bc"],
    ],
    [
      ["a*", "{a*,b*}"],
      ["a", "b"],
    ],
    [["*"], undefined],
    [["a*", "?"], undefined],
    [["{a,b,c,d,e,f,g,h,i}*"], undefined],
  ])("%j are %j", (patterns, literals) => {
    expect(literalsOf(...patterns)).toEqual(literals);
  });

  test("within a scope are those of the request, or else of the scope", () => {
    const scope = scopeOf(["user.17.*"]);
    expect(within(scope, PatternSet.parse(["*.name"])).literals).toEqual([".name"]);
    expect(within(scope, PatternSet.parse(["*"])).literals).toEqual(["user.17."]);
  });
});
