import { describe, expect, spyOn, test } from "bun:test";
import fc from "fast-check";
import { BusError } from "../../../src/bus/errors.ts";
import { parsePattern } from "../../../src/bus/patterns/pattern.ts";
import { parsePatternGrammar } from "../../../src/bus/patterns/pattern-grammar.ts";
import { expandBraces, regExpOf } from "../../../src/bus/patterns/pattern-regexp.ts";
import { walkMatches } from "../../../src/bus/patterns/pattern-walk.ts";
import { busErrorOf } from "../../helpers/bus-error.ts";

type Answer = "yes" | "no" | "bad";

/** Every way to match; all of them must always agree. */
const matchers: Record<string, (pattern: string, topic: string) => boolean> = {
  parsePattern: (pattern, topic) => parsePattern(pattern).matches(topic),
  regExpOf: (pattern, topic) => regExpOf(expandBraces(parsePatternGrammar(pattern))).test(topic),
  walkMatches: (pattern, topic) => walkMatches(parsePatternGrammar(pattern), topic),
};

describe("Go's own results", async () => {
  const file = Bun.file(new URL("../../vectors/path-match.jsonl", import.meta.url));
  const rows = (await file.text()).trimEnd().split("\n");

  for (const [name, matches] of Object.entries(matchers)) {
    test(`hold for all 6,000 rows with ${name}`, () => {
      expect(rows).toHaveLength(6000);
      const disagreeing = rows.filter((row) => {
        const [pattern, topic, answer]: [string, string, Answer] = JSON.parse(row);
        return answerOf(() => matches(pattern, topic)) !== answer;
      });
      expect(disagreeing).toEqual([]);
    });
  }
});

const cases: [situation: string, pattern: string, matching: string[], others: string[]][] = [
  ["a literal is the whole topic", "a.b", ["a.b"], ["a.b.c", "x.a.b", "axb", "A.B"]],
  ["a star is any run, dots included", "a.*", ["a.b", "a.b.c", "a.日本"], ["a", "b.a"]],
  ["a star may be empty", "a*b*", ["ab", "axb", "abx"], ["a", "ba"]],
  ["a star alone is every topic", "*", ["a", "a.b", "😀"], []],
  ["many stars look for their run in order", "*a*b*c", ["abc", "xaxbxc", "a.b.c.c"], ["acb", "abcx", "bca"]],
  ["a run between stars may begin again within itself", "*aab*", ["aaab", "xaaabx"], ["abab"]],
  ["? is one code point", "a?", ["ab", "a.", "aé", "a日", "a😀"], ["a", "abc", "a😀😀", "ae\u0301"]],
  ["?? is two code points", "??", ["ab", "😀😀"], ["😀", "é"]],
  ["a star never stops inside a character", "*??", ["ab", "日本"], ["日", "😀"]],
  ["a class is one character", "[a-cx]", ["a", "b", "c", "x"], ["d", "ab", "-"]],
  ["a class may be negated", "[^a-c]", ["d", "😀", "."], ["a", "c", "dd"]],
  ["a class holds code points", "[😀-😂é]", ["😀", "😁", "é"], ["e", "😃"]],
  ["a class holds what is escaped in it", "[\\]\\-\\^\\\\]", ["]", "-", "^", "\\"], ["a"]],
  ["a class holds ^ when it is not first", "[a^]", ["a", "^"], ["b"]],
  ["stars and braces in a class are characters", "[*?{},]", ["*", "?", "{", "}", ","], ["a"]],
  ["a reversed range holds nothing", "a[z-a]", [], ["az", "a", "am"]],
  ["a negated reversed range holds everything", "a[^z-a]", ["az", "a."], ["a", "abc"]],
  ["a backslash takes the meaning away", "\\*\\?\\[\\\\\\a", ["*?[\\a"], ["xx[\\a"]],
  ["a ] alone is itself", "a]", ["a]"], ["a"]],
  ["a comma without braces is itself", "a,b", ["a,b"], ["a", "b"]],
  ["what regular expressions use is itself", "^(a+)|$b\\d\"!@#~&'", ["^(a+)|$bd\"!@#~&'"], ["a", "aa"]],
  ["dots at the start are themselves", "..a", ["..a"], ["a", "xxa"]],
  ["a dash is itself", "a-z", ["a-z"], ["b"]],
];

const braceCases: typeof cases = [
  ["braces are alternatives", "{a,b}.c", ["a.c", "b.c"], ["c", "ab.c", "{a,b}.c"]],
  ["a single alternative is itself", "{a}b", ["ab"], ["b"]],
  ["an alternative may be empty", "a{,b}", ["a", "ab"], ["abb"]],
  ["no alternatives mean an empty one", "a{}b", ["ab"], ["a{}b"]],
  ["braces nest", "{a,b{c,{d,e}f}}g", ["ag", "bcg", "bdfg", "befg"], ["bg", "bdg"]],
  ["braces multiply", "{a,b}{c,d}", ["ac", "ad", "bc", "bd"], ["ab", "cd"]],
  ["stars work in braces", "{a*,*b}c", ["ac", "axc", "bc", "xbc"], ["c", "cb"]],
  ["stars around braces try every alternative", "*{a,ab}c*d", ["acd", "abcd", "xabcxd"], ["abd"]],
  ["a shorter alternative does not hide a longer one", "{a,ab,abc}*{d,}", ["a", "abcd"], ["b"]],
  ["escaped braces and commas are characters", "\\{a\\,b\\}", ["{a,b}"], ["a", "b"]],
  ["escapes work in braces", "{a\\,b,\\},\\{}", ["a,b", "}", "{"], ["a", "b"]],
  ["classes work in braces", "{[,}],[^a-c]x}", [",", "}", "dx"], ["ax", "x"]],
  ["code points work in braces", "{😀,日}?", ["😀😀", "日a"], ["😀", "a"]],
];

for (const [name, matches] of Object.entries(matchers)) {
  describe(`with ${name}`, () => {
    for (const [situation, pattern, matching, others] of [...cases, ...braceCases]) {
      test(situation, () => {
        for (const topic of matching) expect([topic, matches(pattern, topic)]).toEqual([topic, true]);
        for (const topic of others) expect([topic, matches(pattern, topic)]).toEqual([topic, false]);
      });
    }
  });
}

const expandsTo4096 = `{${"a,".repeat(63)}a}${"b".repeat(63)}`;

const malformed: [situation: string, pattern: unknown, position: number][] = [
  ["no string", 42, 0],
  ["nothing", undefined, 0],
  ["an empty text", "", 0],
  ["braces around nothing", "{}", 0],
  ["only empty alternatives", "{,{}}", 0],
  ["a trailing backslash", "a\\", 1],
  ["a trailing backslash after a star", "*\\", 1],
  ["a backslash that ends a class", "a[b\\", 3],
  ["an open class", "a.[b", 2],
  ["an open class, far after what can match", "a*b*[", 4],
  ["an open class after a character of two code units", "😀[a", 2],
  ["an empty class", "a[]", 2],
  ["a ] that begins a class", "[]a]", 1],
  ["an empty negated class", "[^]", 2],
  ["a dash that begins a class", "[-a]", 1],
  ["a dash that ends a class", "[a-]", 3],
  ["a range of three", "[a-b-c]", 4],
  ["a range that is cut off", "[a-", 0],
  ["an open brace", "a{b,c", 1],
  ["an open brace in another", "{a,{b}", 0],
  ["a closing brace without an opening one", "a}b", 1],
  ["one closing brace too many", "{a}}", 3],
  ["an open brace after a class", "[a]{[}]", 3],
  ["a fault in an alternative", "{a,[b-]}", 6],
  ["a lone high surrogate", "a\uD83D*", 1],
  ["a lone low surrogate", "😀\uDE00", 2],
  ["257 characters", "a".repeat(257), 256],
  ["257 characters of two code units", "😀".repeat(257), 512],
  ["a huge text", "{".repeat(1_000_000), 256],
  ["65 alternatives", `a{${"b,".repeat(64)}b}`, 130],
  ["2^64 alternatives", "{a,b}".repeat(50), 30],
  ["2^32 alternatives inside another", `{x,${"{a,b}".repeat(32)}}`, 33],
  ["4,097 characters once expanded", `${expandsTo4096}{}b`, expandsTo4096.length + 2],
  ["too many characters once expanded, inside an alternative", `{x,{${"a,".repeat(60)}a}${"b".repeat(90)}}`, 192],
];

describe("parsePattern rejects", () => {
  for (const [situation, pattern, position] of malformed) {
    test(situation, () => {
      const error = busErrorOf(() => parsePattern(pattern));
      expect([error.code, error.members]).toEqual(["pattern_invalid", { position }]);
    });
  }

  test("without repeating what it was given", () => {
    expect(busErrorOf(() => parsePattern("secret[")).message).not.toContain("secret");
  });
});

describe("parsePattern takes", () => {
  const longest: [situation: string, pattern: string, topic: string][] = [
    ["256 characters", "a".repeat(256), "a".repeat(256)],
    ["256 characters of two code units", "😀".repeat(256), "😀".repeat(256)],
    ["64 alternatives", "{a,b}".repeat(6), "ababab"],
    ["4,096 characters once expanded", expandsTo4096, `a${"b".repeat(63)}`],
    ["128 nested braces", `${"{".repeat(127)}a${"}".repeat(127)}`, "a"],
    ["128 stars between letters", "*a".repeat(128), "a".repeat(128)],
    ["127 adjacent stars", `${"*".repeat(127)}a`, "ba"],
  ];
  for (const [situation, pattern, topic] of longest) {
    test(situation, () => {
      expect(parsePattern(pattern).matches(topic)).toBe(true);
      expect(parsePattern(pattern).matches(`${topic}.`)).toBe(false);
    });
  }
});

describe("a pattern", () => {
  test("keeps its text as written", () => {
    expect(parsePattern("{a,[b-c]}.\\*").text).toBe("{a,[b-c]}.\\*");
  });

  test("knows that it matches everything", () => {
    for (const text of ["*", "**", "{*}", "{a,*}", "{,*}*"]) expect(parsePattern(text).matchesEverything).toBe(true);
    for (const text of ["?*", "*.*", "{,a}", "\\*", "[*]"]) expect(parsePattern(text).matchesEverything).toBe(false);
  });
});

describe("a plain matcher that shares no code agrees", () => {
  const topics = fc.string({ unit: fc.constantFrom("a", "b", "c", ".", "-", "é", "😀"), maxLength: 10 });
  const words = ["a", "b", "c", ".", "*", "*", "?", "[a-b]", "[^a]", "[^.-é]", "[b-a]", "\\a", "\\*", "é", "😀"];
  const broken = ["[", "]", "^", "-", "\\", "{", "}", ","];

  const agree = (pattern: string, topic: string) => {
    const expected = answerOf(() => plainMatches(pattern, topic));
    for (const [name, matches] of Object.entries(matchers)) {
      expect([name, answerOf(() => matches(pattern, topic))]).toEqual([name, expected]);
    }
  };

  test("on patterns without braces", () => {
    const patterns = fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 10 }).map((list) => list.join(""));
    fc.assert(fc.property(patterns, topics, agree), { numRuns: 2000 });
  });

  test("on patterns with braces", () => {
    const { pattern } = fc.letrec<{ pattern: string; branch: string; braces: string }>((tie) => ({
      pattern: fc.tuple(tie("branch"), tie("braces"), tie("branch")).map((list) => list.join("")),
      branch: fc.oneof(
        { maxDepth: 2 },
        { arbitrary: fc.array(fc.constantFrom(...words), { maxLength: 3 }).map((list) => list.join("")), weight: 3 },
        { arbitrary: tie("pattern"), weight: 1 },
      ),
      braces: fc.array(tie("branch"), { minLength: 1, maxLength: 3 }).map((list) => `{${list.join(",")}}`),
    }));
    const within = pattern.filter((text) => !passesLimit(text));
    fc.assert(fc.property(within, topics, agree), { numRuns: 2000 });
  });

  test("on patterns that are mostly malformed", () => {
    const patterns = fc.array(fc.constantFrom(...words, ...broken, ...broken), { maxLength: 8 });
    fc.assert(
      fc.property(patterns, topics, (list, topic) => agree(list.join(""), topic)),
      { numRuns: 2000 },
    );
  });
});

/** Matches in the most direct way: braces written out, then every way of every star tried. */
function plainMatches(pattern: string, topic: string): boolean {
  const { alternatives, rest } = plainExpand(plainTokens(pattern));
  const written = alternatives.flat().join("");
  if (rest.length > 0 || written === "" || alternatives.length > 64) throw malformedPattern();
  return alternatives.some((tokens) => plainTry(tokens, Array.from(topic)));
}

function plainTokens(pattern: string): string[] {
  const member = "(?:\\\\.|[^\\\\\\]-])";
  const token = new RegExp(`\\\\.|\\[(?:\\^|(?!\\^))(?:${member}(?:-${member})?)+\\]|[^\\\\[]`, "suy");
  const tokens: string[] = [];
  while (token.lastIndex < pattern.length) {
    const found = token.exec(pattern);
    if (!found) throw malformedPattern();
    tokens.push(found[0]);
  }
  return tokens;
}

/** Expands up to the `}` or the end. A comma has a meaning only inside. */
function plainExpand(tokens: string[], inside = false): { alternatives: string[][]; rest: string[] } {
  const done: string[][] = [];
  let open: string[][] = [[]];
  for (;;) {
    const [next, ...rest] = tokens;
    if (next === undefined && inside) throw malformedPattern();
    if (next === undefined || next === "}") return { alternatives: [...done, ...open], rest: tokens };
    tokens = rest;
    if (next === "{") {
      const inner = plainExpand(rest, true);
      open = open.flatMap((head) => inner.alternatives.map((tail) => [...head, ...tail]));
      tokens = inner.rest.slice(1);
    } else if (next === "," && inside) {
      done.push(...open);
      open = [[]];
    } else {
      open = open.map((head) => [...head, next]);
    }
  }
}

function plainTry([token, ...tokens]: string[], topic: string[]): boolean {
  if (token === undefined) return topic.length === 0;
  const [character, ...characters] = topic;
  if (token === "*")
    return plainTry(tokens, topic) || (character !== undefined && plainTry([token, ...tokens], characters));
  return character !== undefined && plainHolds(token, character) && plainTry(tokens, characters);
}

function plainHolds(token: string, character: string): boolean {
  if (token === "?") return true;
  if (!/^\[./su.test(token)) return token.replace(/^\\/u, "") === character;
  const negated = token.startsWith("[^");
  const code = character.codePointAt(0) ?? 0;
  const ranges = token.slice(negated ? 2 : 1, -1).matchAll(/\\?(.)(?:-\\?(.))?/gsu);
  const held = [...ranges].some(([, first = "", last = first]) => {
    return code >= (first.codePointAt(0) ?? 0) && code <= (last.codePointAt(0) ?? 0);
  });
  return held !== negated;
}

function malformedPattern(): BusError {
  return new BusError("pattern_invalid", "malformed");
}

function answerOf(act: () => boolean): Answer {
  try {
    return act() ? "yes" : "no";
  } catch (error) {
    if (error instanceof BusError && error.code === "pattern_invalid") return "bad";
    throw error;
  }
}

/** What braces expand to may be more than is allowed, which the plain matcher does not know. */
function passesLimit(text: string): boolean {
  try {
    parsePattern(text);
    return false;
  } catch (error) {
    return error instanceof Error && error.message.includes("at most");
  }
}

describe("a pattern with a text in its middle", () => {
  test.each(["*[a-z]*q17*", "*[a-z]*{q17,w17}*", "?*.q17?*"])("%s is not run against topics without it", (text) => {
    const pattern = parsePattern(text);
    const runs = spyOn(RegExp.prototype, "test");
    try {
      expect(pattern.matches("a.q18.b")).toBe(false);
      expect(runs).not.toHaveBeenCalled();
      expect(pattern.matches("a.q17.b")).toBe(true);
      expect(runs).toHaveBeenCalled();
    } finally {
      runs.mockRestore();
    }
  });
});
