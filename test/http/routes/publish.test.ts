import { describe, expect, test } from "bun:test";
import type { EventMessage } from "../../../src/protocol/event.ts";
import {
  exchange,
  expectOk,
  expectProblem,
  expectRawProblem,
  history,
  MARKER,
  post,
  publish,
  requestText,
} from "../../helpers/http.ts";
import { sharedService } from "../../helpers/service.ts";

const service = sharedService();

function postTo(topic: string, body: string, type?: string): Promise<Response> {
  const headers: Record<string, string> = type === undefined ? {} : { "Content-Type": type };
  return fetch(`${service.url}/api/events/publish/${topic}`, { method: "POST", headers, body });
}

describe("POST /api/events/publish", () => {
  test("answers with the whole event", async () => {
    const response = await post(service.url, { topic: "orders.created", data: { total: 25 }, source: "shop" });
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    const event = await expectOk<EventMessage>(response);
    expect(Object.keys(event)).toEqual(["id", "topic", "data", "source", "created_at"]);
    expect(event).toMatchObject({ topic: "orders.created", data: { total: 25 }, source: "shop" });
    expect(event.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test("gives ids that ascend by one, and times that never go down", async () => {
    const first = await publish(service.url, "a");
    const second = await publish(service.url, "a");
    expect(second.id).toBe(first.id + 1);
    expect(second.created_at >= first.created_at).toBe(true);
  });

  test("reads omitted members as null data and an empty source", async () => {
    expect(await publish(service.url, "a")).toMatchObject({ data: null, source: "" });
  });

  test("returns at once what the history returns later", async () => {
    const event = await publish(service.url, "kept", { a: [1, "é", null] }, "me");
    expect(await history(service.url, "last=1")).toEqual([event]);
  });

  for (const data of [
    "12345678901234567890",
    "1.10",
    "1e400",
    "-0",
    '{"b":1,"a":2,"b":3}',
    '"\\ud800\\u00e9"',
    "[ ]",
  ]) {
    test(`keeps ${data} as it was sent`, async () => {
      const answer = await (await post(service.url, `{"topic":"raw","data":${data}}`)).text();
      expect(answer).toContain(`"data":${data},"source"`);
      expect(await (await fetch(`${service.url}/api/events/history?last=1`)).text()).toBe(`[${answer}]`);
    });
  }

  test("puts data with line breaks on one line", async () => {
    const answer = await (
      await post(service.url, '{\r\n\t"topic": "a",\n\t"data": {\n\t\t"a": "b\\n c"\r\n\t}\n}\n')
    ).text();
    expect(answer).toContain('"data":{"a": "b\\n c"},');
  });
});

describe("POST /api/events/publish/{topic}", () => {
  test("takes the body as the data", async () => {
    const response = await postTo("orders.created?source=shop", '{"total":1.10}', "application/json");
    expect(await response.text()).toContain('"topic":"orders.created","data":{"total":1.10},"source":"shop"');
  });

  test("takes a body of text/plain as a JSON string", async () => {
    const text = 'say "hi"\\\n\t\u2028é';
    const event = await expectOk<EventMessage>(await postTo("a", text, "text/plain"));
    expect(event.data).toBe(text);
  });

  test("takes an empty text/plain as an empty string", async () => {
    expect(await expectOk<EventMessage>(await postTo("a", "", "text/plain; charset=utf-8"))).toMatchObject({
      data: "",
    });
  });

  test("keeps a byte order mark at the start of a text", async () => {
    const event = await expectOk<EventMessage>(await postTo("a", "\uFEFFhello", "text/plain"));
    expect(event.data).toBe("\uFEFFhello");
  });

  for (const query of ["secret=x", "secret=x&secret=y&__proto__=z", "sig=%zz&%ff=1", "=&?"]) {
    test(`lets a webhook's own query pass: ${query}`, async () => {
      const answer = await exchange(
        service.url,
        requestText(`POST /api/events/publish/a?${query}&%73ource=s`, [], "1"),
      );
      expect(JSON.parse(answer?.body ?? "")).toMatchObject({ topic: "a", source: "s" });
    });
  }

  test("explains to a client that sends text as JSON how to send text", async () => {
    const problem = await expectProblem(await postTo("a", `hello ${MARKER}`), "json_invalid");
    expect(problem.detail).toEndWith("to send text, use Content-Type: text/plain");
  });

  const decoded = [
    ["%61.b", "a.b"],
    ["%E6%97%A5.caf%C3%A9", "日.café"],
    ["a+b", "a+b"],
    ["a%2Bb", "a+b"],
    ["a%23b", "a#b"],
    ["100%25", "100%"],
    ["a:b@c;d=e&f", "a:b@c;d=e&f"],
    ["%F0%9F%98%80", "😀"],
  ] as const;
  for (const [path, topic] of decoded) {
    test(`takes ${path} as the topic ${topic}`, async () => {
      expect((await expectOk<EventMessage>(await postTo(path, "1"))).topic).toBe(topic);
    });
  }

  test("accepts UTF-8 in the path without percent-encoding", async () => {
    const answer = await exchange(service.url, requestText("POST /api/events/publish/日.é", [], "1"));
    expect(JSON.parse(answer?.body ?? "").topic).toBe("日.é");
  });

  const malformed = [
    "%zz",
    "%",
    "a%2",
    "%ff",
    "%C3",
    "%ED%A0%80",
    "%C0%80",
    "a%00b",
    "a%2Fb",
    "a%20b",
    "a..b",
    "a%0Ab",
    "a%C2%85b",
    "a%C2%9B",
  ];
  for (const path of malformed) {
    test(`rejects ${path} as a topic`, async () => {
      const answer = await exchange(service.url, requestText(`POST /api/events/publish/${path}`, [], "1"));
      expectRawProblem(answer, "topic_invalid");
    });
  }

  test("does not take a slash for a part of the topic", async () => {
    await expectProblem(await postTo("a/b", "1"), "not_found");
  });

  test("does not take an empty topic for an envelope", async () => {
    await expectProblem(await postTo("", '{"topic":"a"}'), "not_found");
  });

  test("rejects a second source", async () => {
    const problem = await expectProblem(await postTo("a?source=x&source=y", "1"), "parameter_invalid");
    expect(problem.parameter).toBe("source");
  });

  test("rejects a source that is too long", async () => {
    const problem = await expectProblem(await postTo(`a?source=${"é".repeat(128)}`, "1"), "parameter_invalid");
    expect(problem.detail).toStartWith("a source must be at most 255 bytes of UTF-8");
  });
});

const envelopes = [
  ["an empty body", "", "json_invalid", /object like/],
  ["a form", `topic=a&data=${MARKER}`, "json_invalid", /object like/],
  ["an array", `["${MARKER}"]`, "json_invalid", /object like/],
  ["a truncated envelope", `{"topic":"${MARKER}"`, "json_invalid", /the text ends where/],
  ["a truncated string", `{"topic":"${MARKER}`, "json_invalid", /ends inside a string/],
  ["two envelopes", '{"topic":"a"}{"topic":"b"}', "json_invalid", /end of the text/],
  ["single quotes", `{'topic':'${MARKER}'}`, "json_invalid", /double quotes/],
  ["a trailing comma", '{"topic":"a",}', "json_invalid", /double quotes/],
  ["NaN", '{"topic":"a","data":NaN}', "json_invalid", /a value/],
  ["a leading zero", '{"topic":"a","data":01}', "json_invalid", /digit/],
  ["100,000 brackets", "[".repeat(100_000), "json_invalid", /object like/],
  ["100,000 brackets as data", `{"topic":"a","data":${"[".repeat(100_000)}`, "json_invalid", /512 levels deep/],
  ["no topic", `{"data":"${MARKER}"}`, "topic_invalid", /topic/],
  ["a number as topic", '{"topic":5}', "topic_invalid", /must be a string/],
  ["null as topic", '{"topic":null}', "topic_invalid", /must be a string/],
  ["a NUL in the topic", '{"topic":"a\\u0000"}', "topic_invalid", /U\+0000/],
  ["a lone surrogate in the topic", '{"topic":"\\ud800"}', "topic_invalid", /U\+D800/],
  ["a pattern as topic", '{"topic":"a*"}', "topic_invalid", /U\+002A/],
  ["an empty segment", '{"topic":"a..b"}', "topic_invalid", /empty segment/],
  ["a topic of 256 bytes", `{"topic":"${"a".repeat(256)}"}`, "topic_invalid", /255 bytes/],
  ["an unknown member", '{"topic":"a","dat":1}', "parameter_unknown", /did you mean data\?/],
  ["a member of the prototype", '{"topic":"a","__proto__":1}', "parameter_unknown", /not one of topic, data, source/],
  ["a duplicate member", '{"topic":"a","data":1,"data":2}', "parameter_invalid", /twice/],
  ["a duplicate spelled with an escape", '{"topic":"a","\\u0074opic":"b"}', "parameter_invalid", /twice/],
  ["a number as source", '{"topic":"a","source":5}', "parameter_invalid", /must be a string/],
  ["a lone surrogate in the source", '{"topic":"a","source":"\\udc00"}', "parameter_invalid", /surrogate/],
] as const;

describe("a publish rejects, and keeps nothing of,", () => {
  for (const [situation, body, code, words] of envelopes) {
    test(situation, async () => {
      const head = service.bus.head;
      const problem = await expectProblem(await post(service.url, body), code);
      expect(problem.detail).toMatch(words);
      expect(service.bus.head).toBe(head);
    });
  }

  test("a query", async () => {
    const response = await fetch(`${service.url}/api/events/publish?source=a`, {
      method: "POST",
      body: '{"topic":"a"}',
    });
    const problem = await expectProblem(response, "parameter_unknown");
    expect(problem).toMatchObject({ parameter: "source" });
  });
});

test("an escaped lone surrogate in the data is kept", async () => {
  const answer = await (await post(service.url, '{"topic":"a","data":"\\ud800"}')).text();
  expect(answer).toContain('"data":"\\ud800"');
});
