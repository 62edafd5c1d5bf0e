import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BusError } from "../../src/bus/errors.ts";
import { MAX_JSON_DEPTH, scanJson, skipSpace } from "../../src/bus/json-scanner.ts";
import { busErrorOf } from "../helpers/bus-error.ts";

const good = [
  ...["0", "-0", "0.0", "-0.0e-0", "1.10", "1e400", "-1E+2", "1e-999", "12345678901234567890", "0e1"],
  ...["true", "false", "null", '""', '"a"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\u0000\\uABCD\\uabcd"'],
  ...['"\\ud800"', '"\\udc00\\ud800"', '"\u2028\u2029"', '"\uFEFF"', '"\u007f"', '"😀"', '"日本"'],
  ...["[]", "{}", "[ ]", "{\t}", "[[],{}]", '{"":0}', '{"a":1,"a":2}', "[1,\r\n2]", '{ "a" : [ { } , 1 ] }'],
  ...[`"${"a".repeat(100)}"`, `"${"\\n".repeat(100)}"`, `"${"é".repeat(31)}\\u00e9"`, `"${"a".repeat(31)}"`],
];

describe("what is JSON", () => {
  test.each(good)("%j is taken, to its end", (text) => {
    expect(() => JSON.parse(text)).not.toThrow();
    expect(scanJson(text, 0)).toBe(text.length);
  });

  test("a value is taken from any offset, and what follows it is left", () => {
    expect(scanJson('x: {"a":1} y', 2)).toBe(10);
    expect(scanJson("12]", 0)).toBe(2);
  });

  test("white space is spaces, tabs and line breaks, and nothing else", () => {
    expect(skipSpace(" \t\r\n1", 0)).toBe(4);
    for (const other of "\v\f\u00A0\u2003\u2028\uFEFF\u0000") expect(skipSpace(other, 0)).toBe(0);
  });
});

const bad: [text: string, position: number, detail: string][] = [
  ["", 0, "the text ends where a value was expected"],
  ["  ", 2, "the text ends where a value was expected"],
  ["\uFEFF1", 0, "expected a value at position 0, found a byte order mark"],
  ["\u00A01", 0, "expected a value at position 0, found another character"],
  ["NaN", 0, "expected a value at position 0, found a letter"],
  ["Infinity", 0, "expected a value at position 0, found a letter"],
  ["+1", 0, "expected a value at position 0, found a plus sign"],
  [".5", 0, "expected a value at position 0, found a dot"],
  ["'a'", 0, "expected a value at position 0, found a single quote"],
  ["\\", 0, "expected a value at position 0, found a backslash"],
  ["// a", 0, "expected a value at position 0, found a slash"],
  ["\u0000", 0, "expected a value at position 0, found a control character"],
  ["-", 1, "the text ends where a digit was expected"],
  ["-x", 1, "expected a digit at position 1, found a letter"],
  ["--1", 1, "expected a digit at position 1, found a minus sign"],
  ["1.", 2, "the text ends where a digit was expected"],
  ["1.e5", 2, "expected a digit at position 2, found a letter"],
  ["1e", 2, "the text ends where a digit was expected"],
  ["1E+", 3, "the text ends where a digit was expected"],
  ["[01]", 2, "expected a comma or ] at position 2, found a digit"],
  ["[1_000]", 2, "expected a comma or ] at position 2, found another character"],
  ["tru", 3, "the text ends where the literal true was expected"],
  ["falsy", 4, "expected the literal false at position 4, found a letter"],
  ["nul!", 3, "expected the literal null at position 3, found another character"],
  ["True", 0, "expected a value at position 0, found a letter"],
  ["undefined", 0, "expected a value at position 0, found a letter"],
  ['"', 1, "the text ends inside a string"],
  ['"a', 2, "the text ends inside a string"],
  [`"${"a".repeat(99)}`, 100, "the text ends inside a string"],
  ['"\\', 2, "the text ends inside a string"],
  ['"\\u12', 5, "the text ends where a hexadecimal digit after \\u was expected"],
  ['"\\u12G4"', 5, "expected a hexadecimal digit after \\u at position 5, found a letter"],
  ['"\\x41"', 2, 'expected one of "\\/bfnrtu after a backslash at position 2, found a letter'],
  ['"\\\'"', 2, 'expected one of "\\/bfnrtu after a backslash at position 2, found a single quote'],
  ['"\t"', 1, "a control character inside a string must be escaped, such as the one at position 1"],
  ['"a\nb"', 2, "a control character inside a string must be escaped, such as the one at position 2"],
  ['"\u001f"', 1, "a control character inside a string must be escaped, such as the one at position 1"],
  [
    `"${"a".repeat(99)}\n"`,
    100,
    "a control character inside a string must be escaped, such as the one at position 100",
  ],
  ["[", 1, "the text ends where a value was expected"],
  ["[1", 2, "the text ends where a comma or ] was expected"],
  ["[1,]", 3, "expected a value at position 3, found a closing bracket"],
  ["[,1]", 1, "expected a value at position 1, found a comma"],
  ["[1 2]", 3, "expected a comma or ] at position 3, found a digit"],
  ["[1}", 2, "expected a comma or ] at position 2, found a closing brace"],
  ["[1:2]", 2, "expected a comma or ] at position 2, found a colon"],
  ["{", 1, "the text ends where a member name in double quotes was expected"],
  ["{a:1}", 1, "expected a member name in double quotes at position 1, found a letter"],
  ["{1:1}", 1, "expected a member name in double quotes at position 1, found a digit"],
  ['{"a"', 4, "the text ends where a colon was expected"],
  ['{"a" 1}', 5, "expected a colon at position 5, found a digit"],
  ['{"a":}', 5, "expected a value at position 5, found a closing brace"],
  ['{"a":1', 6, "the text ends where a comma or } was expected"],
  ['{"a":1,}', 7, "expected a member name in double quotes at position 7, found a closing brace"],
  ['{"a":1]', 6, "expected a comma or } at position 6, found a closing bracket"],
  ['{"a":1 "b"', 7, "expected a comma or } at position 7, found a double quote"],
  ['{"a":[{"b":tru}]}', 14, "expected the literal true at position 14, found a closing brace"],
];

describe("what is not JSON", () => {
  test.each(bad)("%j is rejected at %d", (text, position, detail) => {
    const error = busErrorOf(() => scanJson(text, 0));
    expect(error.code).toBe("json_invalid");
    expect(error.members).toEqual({ position });
    expect(error.message).toBe(detail);
    expect(() => JSON.parse(text)).toThrow();
  });

  test("a text cut off anywhere is rejected at its end", () => {
    const text = '{"a\\u00e9\\n": [true, false , null, -1.5e+3, {"b": "日本"}, []], "c": {}}';
    for (let length = 0; length < text.length; length++) {
      expect(busErrorOf(() => scanJson(text.slice(0, length), 0)).members).toEqual({ position: length });
    }
  });
});

describe("the limit of depth", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

  test("is 512 nested arrays or objects", () => {
    expect(MAX_JSON_DEPTH).toBe(512);
    expect(scanJson(nested(512), 0)).toBe(1024);
    expect(scanJson(`${'{"a":['.repeat(256)}${"]}".repeat(256)}`, 0)).toBe(256 * 8);
    const error = busErrorOf(() => scanJson(nested(513), 0));
    expect(error.code).toBe("json_invalid");
    expect(error.members).toEqual({ position: 512, limit: 512 });
  });

  test("counts what is open, not what was", () => {
    expect(scanJson(`[${"[],{},".repeat(1000)}[]]`, 0)).toBe(6004);
  });

  test("holds for 100,000 brackets, closed or not", () => {
    for (const text of [nested(100_000), "[".repeat(100_000), '{"a":'.repeat(100_000), "[{".repeat(50_000)]) {
      expect(busErrorOf(() => scanJson(text, 0)).code).toBe("json_invalid");
    }
  });
});

/** Texts that are JSON, with white space between any tokens. */
const jsonText = fc
  .tuple(fc.jsonValue({ maxDepth: 4, stringUnit: "binary" }), fc.constantFrom(undefined, 1, "\t", " \n "))
  .map(([value, space]) => JSON.stringify(value, undefined, space));

const piece = fc.constantFrom(
  ...['{"a":', "{", "}", "[", "]", ",", ":", '"', "\\", '""', '"a"', '"\\u00', "e", "E", "+", "-", ".", "0", "1", "9"],
  ...[
    "true",
    "false",
    "null",
    "nul",
    " ",
    "\n",
    "\t",
    "\r",
    "\u0000",
    "\v",
    "\u00A0",
    "\u2028",
    "\uFEFF",
    "\ud800",
    "é",
  ],
);

/** JSON with a piece inserted, or replacing up to three units. */
const mutated = fc
  .tuple(jsonText, fc.nat(), fc.nat({ max: 3 }), fc.option(piece, { nil: "" }))
  .map(([text, where, removed, put]) => {
    const at = where % (text.length + 1);
    return text.slice(0, at) + put + text.slice(at + removed);
  });

const anyText = fc.oneof(
  mutated,
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
);

describe("any text", () => {
  test("that is JSON is taken to its end", () => {
    fc.assert(
      fc.property(jsonText, (text) => scanJson(text, 0) === text.length),
      { numRuns: 2000 },
    );
  });

  test("is taken exactly if JSON.parse takes it", () => {
    fc.assert(
      fc.property(anyText, (text) => (faultOf(text) === undefined) === isJson(text)),
      { numRuns: 10_000 },
    );
  });

  test("is rejected at the first unit with which it cannot be JSON any more", () => {
    const holds = (text: string) => {
      const position = faultOf(text);
      if (position === undefined || position === text.length) return true;
      const before = faultOf(text.slice(0, position));
      return (before ?? position) === position && faultOf(text.slice(0, position + 1)) === position;
    };
    fc.assert(fc.property(anyText, holds), { numRuns: 10_000 });
  });
});

/** The offset at which the whole text is rejected, or undefined. */
function faultOf(text: string): number | undefined {
  try {
    const end = skipSpace(text, scanJson(text, 0));
    return end === text.length ? undefined : end;
  } catch (error) {
    if (error instanceof BusError) return error.members.position;
    throw error;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
