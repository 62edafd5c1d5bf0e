import { describe, expect, test } from "bun:test";
import { prefersLines } from "../../../src/http/request/accept.ts";
import { sharedService } from "../../helpers/service.ts";

const asking = (accept?: string) => new Request("http://bus/", accept === undefined ? {} : { headers: { accept } });

describe("lines are preferred to JSON", () => {
  test.each<[string | undefined, boolean]>([
    [undefined, false],
    ["", false],
    ["*/*", false],
    ["application/*", false],
    ["text/html", false],
    ["application/json", false],
    ["application/x-ndjson", true],
    ["APPLICATION/X-NDJSON", true],
    ["application/x-ndjson; charset=utf-8", true],
    ["application/x-ndjson, */*", true],
    ["application/x-ndjson;q=0.5, */*", false],
    ["application/x-ndjson;q=0.5, */*;q=0.1", true],
    ["application/json, application/x-ndjson", true],
    ["application/json, application/x-ndjson;q=0.9", false],
    ["application/json;q=0.9,application/x-ndjson", true],
    ["application/json ; q=0.9 , application/x-ndjson ; q=1.000", true],
    ["application/*, application/json;q=0.1", true],
    ["application/x-ndjson;q=0", false],
    ["application/x-ndjson;q=0.000, text/html", false],
    ["application/x-ndjson;Q=0, */*", false],
    ["*/*, application/x-ndjson;q=0", false],
    ["application/json;q=0, application/x-ndjson;q=0", false],
    ["application/json;q=0, */*", true],
    ['text/plain;x="a, application/x-ndjson"', false],
    ['application/x-ndjson;x=";q=0;"', true],
    ['application/x-ndjson;x="\\"";q=0', false],
    ["application/x-ndjson-seq", false],
    ["x-ndjson", false],
    [",;,q=1;;", false],
  ])("with %j: %p", (accept, expected) => {
    expect(prefersLines(asking(accept), "application/json")).toBe(expected);
  });

  test("takes no time with a header that is as long as it may be", () => {
    for (const part of ['"', ";", ",", " ", "a;q=", '"\\']) {
      expect(prefersLines(asking(`a${part.repeat(8000)}`), "application/json")).toBe(false);
    }
  });
});

describe("each route that has lines", () => {
  const service = sharedService();
  test.each([
    ["/api/events/history", "application/json;q=1, application/x-ndjson;q=0", "application/json; charset=utf-8"],
    ["/api/events/history", "application/x-ndjson, application/json;q=0.5", "application/x-ndjson; charset=utf-8"],
    ["/api/events/stream", "text/event-stream, application/x-ndjson;q=0", "text/event-stream; charset=utf-8"],
    ["/api/events/stream", "text/event-stream;q=0.5, application/x-ndjson", "application/x-ndjson; charset=utf-8"],
  ])("%s answers %j by %s", async (path, accept, type) => {
    const response = await fetch(`${service.url}${path}`, { headers: { accept } });
    expect(response.headers.get("content-type")).toBe(type);
    await response.body?.cancel();
  });
});
