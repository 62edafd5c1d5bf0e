import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ServerSentEvent, ServerSentEventParser } from "../../src/client/server-sent-events.ts";

function parse(...pieces: string[]): Partial<ServerSentEvent>[] {
  const parser = new ServerSentEventParser();
  const blocks = pieces.flatMap((piece) => parser.push(piece));
  return blocks.map((block) => JSON.parse(JSON.stringify(block)));
}

describe("a stream of server-sent events", () => {
  const rows: readonly [string, string, Partial<ServerSentEvent>[]][] = [
    ["an event", 'id: 7\ndata: {"a":1}\n\n', [{ name: "message", id: "7", data: '{"a":1}' }]],
    ["an id alone, with a comment", ": keep-alive\nid: 7\n\n", [{ name: "message", id: "7" }]],
    ["a comment alone", ": keep-alive\n\n", []],
    ["a name and a retry time", "event: bye\nretry: 1000\n\n", [{ name: "bye", retryMs: 1000 }]],
    ["a time that is none", "retry: soon\ndata: x\n\n", [{ name: "message", data: "x" }]],
    ["data of several lines", "data: a\ndata:  b\ndata:c\n\n", [{ name: "message", data: "a\n b\nc" }]],
    ["a field without a value", "data\n\n", [{ name: "message", data: "" }]],
    ["a block that is cut off", "id: 7\ndata: x\n", []],
    ["blank lines alone", "\n\n\n", []],
    [
      "an id that does not outlive its block",
      "id: 7\ndata: x\n\ndata: y\n\n",
      [
        { name: "message", id: "7", data: "x" },
        { name: "message", data: "y" },
      ],
    ],
  ];
  for (const [ending, name] of [
    ["\n", "\\n"],
    ["\r\n", "\\r\\n"],
    ["\r", "\\r"],
  ] as const) {
    test.each(rows)(`%s, lines ending in ${name}`, (_, text, expected) => {
      expect(parse(text.replaceAll("\n", ending))).toEqual(expected);
    });
  }

  test("means the same wherever it is cut", () => {
    const text = 'id: 1\r\ndata: "é\u2028"\r\n\r\n: keep-alive\nid: 2\n\nevent: gap\rdata: x\r\rdata: y\ndata: z\n\n';
    const whole = parse(text);
    expect(whole).toHaveLength(4);
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(text.length)), (cuts) => {
        const bounds = [0, ...cuts.sort((a, b) => a - b), text.length];
        expect(parse(...bounds.slice(1).map((end, index) => text.slice(bounds[index], end)))).toEqual(whole);
      }),
    );
  });

  test("without an end is rejected before it fills the memory", () => {
    const parser = new ServerSentEventParser();
    const piece = "x".repeat(2 ** 24);
    expect(() => {
      for (let pieces = 0; pieces < 10; pieces++) parser.push(piece);
    }).toThrow(RangeError);
  });
});
