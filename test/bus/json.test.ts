import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseRawJson, toRawJson } from "../../src/bus/json.ts";
import { busErrorOf } from "../helpers/bus-error.ts";

describe("a JSON text", () => {
  const asSent = ["1.10", "1e400", "12345678901234567890", '{"b":1,"a":2,"b":3}', '"\\u0061\\ud800\\/"', "[1, 2 ,3]"];

  test.each(asSent)("%s is kept as it was sent", (text) => {
    expect<string>(parseRawJson(text)).toBe(text);
  });

  const folded: [situation: string, text: string, kept: string][] = [
    ["loses the white space around it", " \t\r\n[1] \n", "[1]"],
    ["loses its line breaks, with the indentation after them", '{\n  "a": [\r\n    1\n  ]\n}\n', '{"a": [1]}'],
    ["loses its tabs", '{\t"a"\t:\t1\t}', '{"a":1}'],
    ["keeps its spaces, and those in its strings", '{ "a b" : "c  d" }', '{ "a b" : "c  d" }'],
    ["keeps escaped line breaks and tabs", '"a\\n\\r\\t\\u000a"', '"a\\n\\r\\t\\u000a"'],
    ["keeps U+2028 and U+0085, which break no line here", '"\u2028\u2029\u0085"', '"\u2028\u2029\u0085"'],
  ];

  test.each(folded)("%s", (_, text, kept) => {
    expect<string>(parseRawJson(text)).toBe(kept);
  });

  test("is one value: anything after it is rejected, at its offset", () => {
    const error = busErrorOf(() => parseRawJson('{"a":1} \n{"a":2}'));
    expect(error.code).toBe("json_invalid");
    expect(error.members).toEqual({ position: 9 });
    expect(error.message).toBe("expected the end of the text at position 9, found an opening brace");
  });

  test("is rejected without being repeated", () => {
    const error = busErrorOf(() => parseRawJson('{"password":hunter2}'));
    expect(error.members).toEqual({ position: 12 });
    expect(JSON.stringify([error.message, error.members])).not.toContain("hunter2");
  });

  test("stays the same value and fits on one line, whatever it is", () => {
    const spaced = fc.tuple(fc.jsonValue(), fc.constantFrom("\t", "\n", "\r\n", " \t\n")).map(([value, space]) => {
      return JSON.stringify(value, undefined, space);
    });
    const holds = (text: string) => {
      const raw = parseRawJson(text);
      expect(JSON.parse(raw)).toEqual(JSON.parse(text));
      expect(raw).not.toMatch(/[\n\r\t]/);
    };
    fc.assert(fc.property(spaced, holds), { numRuns: 2000 });
  });
});

describe("a JavaScript value", () => {
  test("becomes what JSON.stringify makes of it", () => {
    const value = { b: [1, "é\n", null, undefined], a: new Date(0), nothing: undefined, lone: "\ud800" };
    expect<string>(toRawJson(value)).toBe(JSON.stringify(value));
  });

  test("that is undefined becomes null", () => {
    expect<string>(toRawJson(undefined)).toBe("null");
  });

  test("that is a string becomes a JSON string, whatever it looks like", () => {
    expect<string>(toRawJson('{"a":\n1}')).toBe('"{\\"a\\":\\n1}"');
  });

  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const without: [situation: string, value: unknown, detail: RegExp][] = [
    ["a function", () => 1, /^data of type function has no JSON form$/],
    ["a symbol", Symbol("a"), /^data of type symbol has no JSON form$/],
    ["an object whose toJSON gives nothing", { toJSON: () => undefined }, /^data of type object has no JSON form$/],
    ["a bigint", 1n, /bigint/],
    ["a bigint inside", { a: [1n] }, /bigint/],
    ["a cycle", cyclic, /cycle/],
    ["a toJSON that throws", { toJSON: () => JSON.parse("secret") }, /toJSON that throws/],
  ];

  test.each(without)("%s is rejected", (_, value, detail) => {
    const error = busErrorOf(() => toRawJson(value));
    expect(error.code).toBe("json_invalid");
    expect(error.message).toMatch(detail);
    expect(error.message).not.toContain("secret");
  });

  test.each([513, 100_000])("nested %d deep is rejected", (depth) => {
    let value: unknown = 1;
    for (let level = 0; level < depth; level++) value = [value];
    expect(busErrorOf(() => toRawJson(value)).code).toBe("json_invalid");
  });
});
