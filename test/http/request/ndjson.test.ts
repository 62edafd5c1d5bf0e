import { describe, expect, test } from "bun:test";
import { MAX_NDJSON_LINES, parseEnvelopes } from "../../../src/http/request/ndjson.ts";
import { busErrorOf } from "../../helpers/bus-error.ts";

const limits = { maxLines: MAX_NDJSON_LINES, maxLineBytes: 1024 };
const topicsOf = (text: string) => parseEnvelopes(text, limits).map((draft): string => draft.topic);
const a = '{"topic":"a"}';
const b = '{"topic":"b"}';

describe("a body of JSON lines", () => {
  const accepted: [situation: string, text: string, topics: string[]][] = [
    ["may be one line", a, ["a"]],
    ["may end in a line break or not", `${a}\n`, ["a"]],
    ["keeps its order", `${b}\n${a}\n${b}`, ["b", "a", "b"]],
    ["may break its lines as Windows does", `${a}\r\n${b}\r\n`, ["a", "b"]],
    ["may have blank lines", `\n\r\n${a}\n \t\n\n${b}\n\n`, ["a", "b"]],
    ["may have white space around an envelope", ` ${a}\t\n\t${b} `, ["a", "b"]],
  ];

  test.each(accepted)("%s", (_, text, topics) => {
    expect(topicsOf(text)).toEqual(topics);
  });

  test("keeps data and source of each line", () => {
    const drafts = parseEnvelopes('{"topic":"a","data":1.10}\n{"topic":"b","source":"s"}', limits);
    expect<unknown>(drafts).toEqual([
      { topic: "a", data: "1.10", source: "" },
      { topic: "b", data: "null", source: "s" },
    ]);
  });

  const refused: [situation: string, text: string, code: string, members: object, detail: RegExp][] = [
    ["without any envelope", "\n \r\n", "json_invalid", {}, /contains no envelope/],
    ["that is empty", "", "json_invalid", {}, /contains no envelope/],
    [
      "with a broken line",
      `${a}\n\n{"topic":}\n`,
      "json_invalid",
      { line: 3, position: 9 },
      /^line 3: expected a value/,
    ],
    ["with a bad topic", `${a}\r\n{"topic":"x*"}`, "topic_invalid", { line: 2, position: 1 }, /^line 2: /],
    [
      "with an unknown member",
      `{"topik":"a"}`,
      "parameter_unknown",
      { line: 1, parameter: "topik" },
      /^line 1: .*topic\?$/,
    ],
    [
      "with two envelopes on a line",
      `${a}${b}`,
      "json_invalid",
      { line: 1, position: 13 },
      /^line 1: expected the end/,
    ],
    [
      "that is an array of envelopes",
      `[${a}]`,
      "json_invalid",
      { line: 1, position: 0 },
      /^line 1: expected an object/,
    ],
    ["that breaks its lines by U+2028", `${a}\u2028${b}`, "json_invalid", { line: 1, position: 13 }, /^line 1: /],
  ];

  test.each(refused)("%s is rejected", (_, text, code, members, detail) => {
    const error = busErrorOf(() => parseEnvelopes(text, limits));
    expect<string>(error.code).toBe(code);
    expect<object>(error.members).toEqual(members);
    expect(error.message).toMatch(detail);
  });

  test("that is pretty-printed is rejected at line 1, with the reason", () => {
    const error = busErrorOf(() => parseEnvelopes(JSON.stringify({ topic: "a" }, undefined, 2), limits));
    expect(error.members).toEqual({ line: 1, position: 1 });
    expect(error.message).toEndWith("; each line must contain a complete envelope");
  });
});

describe("the limits of a body of JSON lines", () => {
  test("are 10,000 envelopes, blank lines not counted", () => {
    expect(topicsOf(`${a}\n\n`.repeat(10_000))).toHaveLength(10_000);
    const error = busErrorOf(() => topicsOf(`${a}\n`.repeat(10_001)));
    expect<unknown[]>([error.code, error.members]).toEqual(["payload_too_large", { limit: 10_000 }]);
  });

  const lineOf = (bytes: number, filler: string) => {
    const empty = '{"topic":"a","data":""}';
    return empty.replace('""', `"${filler.repeat((bytes - empty.length) / Buffer.byteLength(filler))}"`);
  };

  test.each(["x", "é", "日"])("are bytes of a line, in UTF-8, of %s", (filler) => {
    const maxLineBytes = 23 + 600;
    const fits = `${a}\n${lineOf(23 + 600, filler)}\n${a}`;
    expect(parseEnvelopes(fits, { ...limits, maxLineBytes })).toHaveLength(3);
    const error = busErrorOf(() => parseEnvelopes(fits, { ...limits, maxLineBytes: maxLineBytes - 1 }));
    expect<unknown[]>([error.code, error.members]).toEqual(["payload_too_large", { line: 2, limit: 622 }]);
  });

  /** The time of the fastest of five runs, which another program on the machine disturbs least. */
  const fastestMs = (text: string) => {
    const runs = Array.from({ length: 5 }, () => {
      const startMs = performance.now();
      busErrorOf(() => topicsOf(text));
      return performance.now() - startMs;
    });
    return Math.min(...runs);
  };

  test.each(["\n", "\r\n", " \n", " "])("do not bound %j, which takes time in proportion to its size", (blank) => {
    const blanks = (bytes: number) => blank.repeat(bytes / blank.length);
    const small = fastestMs(blanks(4_000));
    // Sixteen times as much; with the square of the size it would be 256.
    expect(fastestMs(blanks(64_000)) / small).toBeLessThan(64);
  });
});
