import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseEnvelope } from "../../../src/http/request/envelope.ts";
import { busErrorOf } from "../../helpers/bus-error.ts";

describe("an envelope", () => {
  const accepted: [situation: string, text: string, topic: string, data: string, source: string][] = [
    ["has a topic, data and a source", '{"topic":"a.b","data":{"x":1},"source":"s"}', "a.b", '{"x":1}', "s"],
    ["has them in any order", '{"source":"s","data":[],"topic":"a.b"}', "a.b", "[]", "s"],
    ["may leave out data and source", '{"topic":"a"}', "a", "null", ""],
    ["may have null as its data", '{"topic":"a","data":null}', "a", "null", ""],
    ["may hold white space anywhere", ' {\r\n\t"topic" : "a" , "data" : 1 }\n', "a", "1", ""],
    ["may escape its names", '{"to\\u0070ic":"a","\\u0064ata":2}', "a", "2", ""],
    [
      "may escape its topic and source",
      '{"topic":"\\u0061.\\u00e9","source":"\\ud83d\\ude00\\n"}',
      "a.é",
      "null",
      "😀\n",
    ],
    ["may hold members of its own names in its data", '{"data":{"topic":1},"topic":"a"}', "a", '{"topic":1}', ""],
    [
      "keeps every digit of its data",
      '{"topic":"a","data":[1.10,1e400,12345678901234567890]}',
      "a",
      "[1.10,1e400,12345678901234567890]",
      "",
    ],
    [
      "keeps order and duplicates of keys in its data",
      '{"topic":"a","data":{"b":1,"a":2,"b":3}}',
      "a",
      '{"b":1,"a":2,"b":3}',
      "",
    ],
    ["keeps lone surrogate escapes in its data", '{"topic":"a","data":"\\ud800"}', "a", '"\\ud800"', ""],
    ["loses the line breaks of its data", '{"topic":"a","data":{\n  "b": 1\n}}', "a", '{"b": 1}', ""],
  ];

  test.each(accepted)("%s", (_, text, topic, data, source) => {
    expect<unknown>(parseEnvelope(text)).toEqual({ topic, data, source });
  });

  const refused: [situation: string, text: string, code: string, members: object, detail: RegExp][] = [
    [
      "that is empty",
      "",
      "json_invalid",
      { position: 0 },
      /^the text ends where an object like \{"topic":…\} was expected$/,
    ],
    [
      "that is an array",
      "[1]",
      "json_invalid",
      { position: 0 },
      /^expected an object like .* found an opening bracket$/,
    ],
    ["that is a string", ' "a"', "json_invalid", { position: 1 }, /an object like/],
    ["that has no topic", "{}", "topic_invalid", {}, /needs a topic/],
    ["whose topic is a number", '{"topic":5}', "topic_invalid", {}, /string/],
    ["whose topic is null", '{"topic":null}', "topic_invalid", {}, /string/],
    ["whose topic is an object", '{"topic":{"a":1}}', "topic_invalid", {}, /string/],
    ["whose topic has a space", '{"topic":"a b"}', "topic_invalid", { position: 1 }, /U\+0020/],
    ["whose topic is a lone surrogate", '{"topic":"\\ud800"}', "topic_invalid", { position: 0 }, /U\+D800/],
    ["whose source is a number", '{"topic":"a","source":5}', "parameter_invalid", { parameter: "source" }, /string/],
    ["whose source is null", '{"topic":"a","source":null}', "parameter_invalid", { parameter: "source" }, /string/],
    [
      "whose source is too long",
      `{"topic":"a","source":"${"s".repeat(256)}"}`,
      "parameter_invalid",
      { parameter: "source" },
      /255/,
    ],
    [
      "whose source holds a lone surrogate",
      '{"topic":"a","source":"\\udc00"}',
      "parameter_invalid",
      { parameter: "source" },
      /surrogate/,
    ],
    [
      "with an unknown member",
      '{"topic":"a","sender":1}',
      "parameter_unknown",
      { parameter: "sender" },
      /not one of topic, data, source$/,
    ],
    ["with a misspelt member", '{"topik":"a"}', "parameter_unknown", { parameter: "topik" }, /did you mean topic\?$/],
    ["with a member in capitals", '{"Data":1}', "parameter_unknown", { parameter: "Data" }, /did you mean data\?$/],
    ["with two topics", '{"topic":"a","topic":"a"}', "parameter_invalid", { parameter: "topic" }, /twice/],
    [
      "with two topics, one escaped",
      '{"topic":"a","t\\u006fpic":"a"}',
      "parameter_invalid",
      { parameter: "topic" },
      /twice/,
    ],
    ["with text after it", '{"topic":"a"} {}', "json_invalid", { position: 14 }, /^expected the end of the text/],
    ["with a comma at its end", '{"topic":"a",}', "json_invalid", { position: 13 }, /member name/],
    ["with a name without quotes", "{topic:1}", "json_invalid", { position: 1 }, /member name in double quotes/],
    ["with broken data", '{"topic":"a","data":01}', "json_invalid", { position: 21 }, /a comma or \}/],
    ["with a byte order mark inside", '\uFEFF{"topic":"a"}', "json_invalid", { position: 0 }, /byte order mark/],
  ];

  test.each(refused)("%s is rejected", (_, text, code, members, detail) => {
    const error = busErrorOf(() => parseEnvelope(text));
    expect<string>(error.code).toBe(code);
    expect<object>(error.members).toEqual(members);
    expect(error.message).toMatch(detail);
  });

  test("cut off anywhere is rejected at its end", () => {
    const text = '{ "topic" : "a" , "data" : {"b":[1.5,true]} , "sourc\\u0065" : "s" }';
    for (let length = 0; length < text.length; length++) {
      const error = busErrorOf(() => parseEnvelope(text.slice(0, length)));
      expect<unknown[]>([error.code, error.members]).toEqual(["json_invalid", { position: length }]);
    }
  });

  test("may contain data as deep as the limit, and no deeper", () => {
    const holding = (depth: number) => `{"topic":"a","data":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(parseEnvelope(holding(512)).data).toHaveLength(1024);
    expect(busErrorOf(() => parseEnvelope(holding(513))).members).toEqual({ position: 20 + 512, limit: 512 });
    expect(busErrorOf(() => parseEnvelope(holding(100_000))).code).toBe("json_invalid");
  });

  test("hands on any data as it was sent, without line breaks and indentation", () => {
    const spaced = fc.tuple(fc.jsonValue({ stringUnit: "binary" }), fc.constantFrom(undefined, " ", "\n"));
    const holds = ([value, space]: [unknown, string | undefined]) => {
      const text = JSON.stringify(value, undefined, space);
      const { data } = parseEnvelope(`{"topic":"a","data":${text},"source":"s"}`);
      expect<string>(data).toBe(text.replaceAll(/\n */g, ""));
      expect(JSON.parse(data)).toEqual(JSON.parse(text));
    };
    fc.assert(fc.property(spaced, holds), { numRuns: 2000 });
  });
});
