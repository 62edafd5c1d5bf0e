import { describe, expect, test } from "bun:test";
import { parseSource, parseTopic } from "../../src/bus/topic.ts";
import { busErrorOf } from "../helpers/bus-error.ts";

const valid = [
  ["one character", "a"],
  ["one segment", "orders"],
  ["several segments", "orders.created.v2"],
  ["punctuation without a meaning", "a-b_c~d:e;f=g@h+i#j$k%l&m'n\"o<p>q^r`s"],
  ["letters beyond ASCII", "注文.作成.é"],
  ["a character beyond the basic plane", "😀.created"],
  ["combining characters", "e\u0301.a\u200D"],
  ["255 bytes of ASCII", "a".repeat(255)],
  ["255 bytes of UTF-8", "日".repeat(85)],
  ["128 segments", Array(128).fill("a").join(".")],
] as const;

describe("parseTopic takes", () => {
  for (const [situation, topic] of valid) {
    test(situation, () => {
      expect<string>(parseTopic(topic)).toBe(topic);
    });
  }
});

const malformed = [
  ["no string", 42, undefined],
  ["nothing", undefined, undefined],
  ["an empty text", "", undefined],
  ["256 bytes of ASCII", "a".repeat(256), undefined],
  ["256 bytes of UTF-8", `${"日".repeat(85)}a`, undefined],
  ["a huge text", "日".repeat(1_000_000), undefined],
  ["a dot alone", ".", 0],
  ["a leading dot", ".a", 0],
  ["a trailing dot", "a.", 1],
  ["two dots together", "a..b", 1],
  ["two dots together beyond ASCII", "日..b", 1],
  ["a space", "a b", 1],
  ["a line feed at the end", "a\n", 1],
  ["a no-break space", "日\u00A0", 1],
  ["an ideographic space", "a\u3000b", 1],
  ["a line separator", "a\u2028b", 1],
  ["a byte order mark", "\uFEFFa", 0],
  ["a NUL", "a\0", 1],
  ["a DEL", "a\x7F", 1],
  ["a C1 control character", "ab\x85", 2],
  ["a lone high surrogate", "a\uD83D", 1],
  ["a lone low surrogate", "😀\uDE00", 2],
] as const;

describe("parseTopic rejects", () => {
  for (const [situation, topic, position] of malformed) {
    test(situation, () => {
      const error = busErrorOf(() => parseTopic(topic));
      expect(error.code).toBe("topic_invalid");
      expect(error.members).toEqual(position === undefined ? {} : { position });
    });
  }

  test("each character that patterns give a meaning", () => {
    for (const character of "*?[]{}()!|\\/,") {
      const error = busErrorOf(() => parseTopic(`ab${character}c`));
      expect([character, error.code, error.members.position]).toEqual([character, "topic_invalid", 2]);
    }
  });

  test("exactly the same characters with and without others beyond ASCII", () => {
    for (let code = 0; code < 128; code++) {
      const text = `a${String.fromCharCode(code)}a`;
      expect([code, takes(`${text}é`)]).toEqual([code, takes(text)]);
    }
  });

  test("without repeating what it was given", () => {
    const error = busErrorOf(() => parseTopic("top secret"));
    expect(error.message).toContain("U+0020");
    expect(error.message).not.toContain("secret");
  });
});

describe("parseSource", () => {
  test("takes any text up to 255 bytes, and nothing for the empty text", () => {
    for (const source of ["", "shop", "a shop / with, anything", "日".repeat(85)]) {
      expect(parseSource(source)).toBe(source);
    }
    expect(parseSource(undefined)).toBe("");
  });

  test("rejects what is not a string, is too long or contains a lone surrogate", () => {
    for (const source of [null, 1, {}, "a".repeat(256), `${"日".repeat(85)}a`, "a\uD83D"]) {
      const error = busErrorOf(() => parseSource(source));
      expect([error.code, error.members]).toEqual(["parameter_invalid", { parameter: "source" }]);
    }
  });
});

function takes(topic: string): boolean {
  try {
    parseTopic(topic);
    return true;
  } catch {
    return false;
  }
}
