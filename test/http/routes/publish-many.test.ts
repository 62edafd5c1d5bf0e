import { describe, expect, test } from "bun:test";
import { expectOk, expectProblem, history, MARKER, post, publishMany } from "../../helpers/http.ts";
import { sharedService } from "../../helpers/service.ts";

const service = sharedService({ maxBody: 20_000 });
const NDJSON = { type: "application/x-ndjson" };

describe("an NDJSON publish", () => {
  test("commits one event per line, in order, with consecutive ids", async () => {
    const answer = await publishMany(service.url, [{ topic: "n.1" }, { topic: "n.2", data: [1] }, { topic: "n.3" }]);
    expect(answer).toEqual({ count: 3, first_id: answer.last_id - 2, last_id: answer.last_id });
    const events = await history(service.url, "last=3");
    expect(events.map(({ topic }) => topic)).toEqual(["n.3", "n.2", "n.1"]);
  });

  test("takes 10,000 lines", async () => {
    const answer = await publishMany(service.url, Array(10_000).fill({ topic: "many" }));
    expect(answer.last_id - answer.first_id).toBe(9999);
    expect(service.bus.head).toBe(answer.last_id);
  });

  const layouts = [
    ["no line break at the end", '{"topic":"a"}\n{"topic":"b"}'],
    ["blank lines", '\n{"topic":"a"}\n\n  \n{"topic":"b"}\n\n'],
    ["lines ending in CR LF", '{"topic":"a"}\r\n{"topic":"b"}\r\n'],
    ["white space around envelopes", ' {"topic":"a"}\t\n\t{ "topic" : "b" }'],
    ["a byte order mark", '\uFEFF{"topic":"a"}\n{"topic":"b"}'],
  ] as const;
  for (const [situation, body] of layouts) {
    test(`takes ${situation}`, async () => {
      expect(await expectOk(await post(service.url, body, NDJSON))).toMatchObject({ count: 2 });
    });
  }

  test("takes a Content-Type with a charset", async () => {
    const response = await post(service.url, '{"topic":"a"}', { type: "Application/X-NDJSON; charset=utf-8" });
    expect(await expectOk(response)).toMatchObject({ count: 1 });
  });
});

const good = '{"topic":"a"}\n';
const refused = [
  ["an empty body", "", "json_invalid", {}],
  ["blank lines only", "\n \r\n", "json_invalid", {}],
  ["a line that is cut off", `${good}{"topic":"${MARKER}"\n${good}`, "json_invalid", { line: 2 }],
  ["an envelope over two lines", '{"topic":\n"a"}\n', "json_invalid", { line: 1, position: 9 }],
  ["an array of envelopes", `[${good.trim()},${good.trim()}]`, "json_invalid", { line: 1, position: 0 }],
  ["two envelopes on a line", `${good.trim()} ${good}`, "json_invalid", { line: 1 }],
  ["a bad topic", `${good}\n{"topic":"a b"}\n`, "topic_invalid", { line: 3, position: 1 }],
  ["an unknown member", `${good}{"topic":"a","dat":1}`, "parameter_unknown", { line: 2, parameter: "dat" }],
  ["a duplicate member", '{"topic":"a","topic":"b"}', "parameter_invalid", { line: 1, parameter: "topic" }],
  ["a line that is too long", `${good}{"topic":"a","data":"${"x".repeat(20_000)}"}`, "payload_too_large", { line: 2 }],
  ["10,001 lines", good.repeat(10_001), "payload_too_large", {}],
] as const;

describe("an NDJSON publish rejects, and keeps nothing of,", () => {
  for (const [situation, body, code, members] of refused) {
    test(situation, async () => {
      const head = service.bus.head;
      expect(await expectProblem(await post(service.url, body, NDJSON), code)).toMatchObject(members);
      expect(service.bus.head).toBe(head);
    });
  }

  test("a body ten times as large as an event may be", async () => {
    const problem = await expectProblem(await post(service.url, "\n".repeat(200_001), NDJSON), "payload_too_large");
    expect(problem.limit).toBe(200_000);
  });
});
