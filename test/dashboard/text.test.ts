import { describe, expect, test } from "bun:test";
import { toCurl, toTypeScript } from "../../src/dashboard/text/commands.ts";
import { bytes, duration, fromLocalInput, measure, toLocalInput } from "../../src/dashboard/text/format.ts";
import { compact, faultOf, nodesWith, partsOf, survivesParsing, treeOf } from "../../src/dashboard/text/json.ts";

describe("the check of JSON", () => {
  test.each(["null", "1.10", '{"a":[1,2,{}]}', ' "a\\u00e9\\n" ', "1e400", '{"a":1,"a":2}'])("accepts %p", (text) => {
    expect(faultOf(text)).toBeUndefined();
  });

  test.each([
    ['{"a":1,}', 1, 8],
    ['{"a":1 "b":2}', 1, 8],
    ['{\n  "a": tru\n}', 2, 8],
    ["[1,2] // why", 1, 7],
    ["", 1, 1],
    ["{a:1}", 1, 2],
  ])("finds the fault of %p in line %i, column %i", (text, line, column) => {
    expect(faultOf(text)).toMatchObject({ line, column });
  });

  test.each(["01", "+1", "'a'", '"\t"', "[1 2]", "NaN", '"\\x"', "\u00a01"])(
    "refuses %p, as the server does",
    (text) => {
      expect(faultOf(text)).toBeDefined();
    },
  );

  test("survives deep nesting", () => {
    expect(() => faultOf("[".repeat(1_000_000))).not.toThrow();
  });
});

test("compact JSON keeps every token as it was", () => {
  expect(compact(' { "a b" : [ 1.10 , 1e400, "\\u00e9 " ] } ')).toBe('{"a b":[1.10,1e400,"\\u00e9 "]}');
});

test.each([
  ['{"a": 1}', true],
  ["1.10", false],
  ["12345678901234567890", false],
  ['{"a":1,"a":1}', false],
])("%p survives JavaScript's own parser: %p", (text, survives) => {
  expect(survivesParsing(text)).toBe(survives);
});

describe("what was published, as a command", () => {
  const draft = { topic: "it's", source: "a 'b'", data: `{"x": "$HOME 'q' \\"d\\""}` };

  test("is one that a shell reads back verbatim", async () => {
    const shown = toCurl("http://127.0.0.1:1", draft, false).replace(/^curl/, "printf '%s\\n'");
    const words = await new Response(Bun.spawn(["sh", "-c", shown]).stdout).text();
    const body = words.trimEnd().split("-d\n")[1] ?? "";
    expect(JSON.parse(body)).toEqual({ topic: draft.topic, source: draft.source, data: JSON.parse(draft.data) });
  });

  test("names a token by its variable only", () => {
    expect(toCurl("http://a", draft, true)).toContain('"Authorization: Bearer $EVENTBUS_TOKEN"');
    expect(toTypeScript("http://a", draft, true)).toContain('{ token: "ebt_…" }');
  });

  test("is TypeScript that keeps what JavaScript's numbers would change", () => {
    expect(toTypeScript("http://a", { ...draft, data: '{"n": 1}' }, false)).toContain(
      'bus.publish("it\'s", {"n": 1}, {',
    );
    expect(toTypeScript("http://a", { ...draft, data: "1.10" }, false)).toContain('bus.publishRaw("it\'s", "1.10", {');
  });
});

describe("figures", () => {
  test.each([
    [0, "0 s"],
    [59.9, "59 s"],
    [61, "1 min 1 s"],
    [3600, "1 h"],
    [90_061, "1 d 1 h"],
  ])("%p seconds are %p", (seconds, words) => {
    expect(duration(seconds)).toBe(words);
  });

  test.each([
    [0, "0 B"],
    [1536, "1.5 KiB"],
    [1024 ** 3, "1 GiB"],
  ])("%p bytes are %p", (size, words) => {
    expect(bytes(size)).toBe(words);
  });

  test.each([
    [0, "0"],
    [0.0042, "0.004"],
    [12.345, "12.3"],
    [123_456.7, "123,457"],
  ])("%p is shown as %p", (value, words) => {
    expect(measure(value)).toBe(words);
  });

  test("times go from an address to an input and back", () => {
    expect(fromLocalInput(toLocalInput("2026-11-23T14:30:00.000Z"))).toBe("2026-11-23T14:30:00.000Z");
    expect([toLocalInput("yesterday"), toLocalInput(undefined), fromLocalInput("")]).toEqual(["", "", ""]);
  });
});

describe("a search in JSON", () => {
  const text = '{"order":{"id":"A-1007","lines":[{"sku":"mug"},{"sku":"MUGS"}]},"total":1.10}';

  test.each([
    ["mug", ["", "mug", ""]],
    ["ß", ["stra", "ß", "e"]],
    [".", ["1", ".", "10"]],
  ])("is every second part of the text: %p", (find, parts) => {
    expect(partsOf(parts.join(""), find)).toEqual(parts);
  });

  test("loses nothing of the text, however often it matches", () => {
    const long = "xy".repeat(5000);
    expect(partsOf(long, "x").join("")).toBe(long);
  });

  test("finds names and values, in any case, with everything around them", () => {
    const tree = treeOf(text);
    if (tree === undefined) throw new Error("no tree");
    const shown = (find: string) =>
      [...nodesWith(tree, text, find)]
        .filter(({ children }) => children === undefined)
        .map(({ offset, length }) => text.slice(offset, offset + length));
    expect(shown("mug")).toEqual(['"mug"', '"MUGS"']);
    expect(shown("total")).toEqual(['"total"']);
    expect(shown("1.1")).toEqual(["1.10"]);
    expect(shown("nowhere")).toEqual([]);
    expect(nodesWith(tree, text, "mug").has(tree)).toBe(true);
  });
});
