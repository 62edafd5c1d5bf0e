import { describe, expect, test } from "bun:test";
import { exchange, expectProblem, expectRawProblem, requestText } from "../../helpers/http.ts";
import { sharedService } from "../../helpers/service.ts";

const service = sharedService();
const HISTORY = "/api/events/history";

const invalid = [
  [`${HISTORY}?last=-1`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?last=0`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?last=10001`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?last=1e9`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?last=abc`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?last=1.5`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?last=0x10`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?last=+5`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?last=`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?last`, "last", "must be a whole number from 1 to 10000"],
  [`${HISTORY}?before=-1`, "before", "must be a whole number from 0 to 9007199254740991"],
  [`${HISTORY}?before=9007199254740992`, "before", "must be a whole number from 0 to 9007199254740991"],
  [`${HISTORY}?after=1a`, "after", "must be a whole number from 0 to 9007199254740991"],
  [`${HISTORY}?from=yesterday`, "from", "must be an RFC 3339 time such as 2026-11-23T14:30:00Z"],
  [`${HISTORY}?from=2026-11-23`, "from", "must be an RFC 3339 time such as 2026-11-23T14:30:00Z"],
  [`${HISTORY}?from=2026-11-23T14:30:00`, "from", "must be an RFC 3339 time such as 2026-11-23T14:30:00Z"],
  [`${HISTORY}?to=2026-13-01T00:00:00Z`, "to", "must be an RFC 3339 time such as 2026-11-23T14:30:00Z"],
  [`${HISTORY}?to=2026-02-30T00:00:00Z`, "to", "must be an RFC 3339 time such as 2026-11-23T14:30:00Z"],
  [`${HISTORY}?to=2026-11-23T24:00:00Z`, "to", "must be an RFC 3339 time such as 2026-11-23T14:30:00Z"],
  [`${HISTORY}?to=1700000000`, "to", "must be an RFC 3339 time such as 2026-11-23T14:30:00Z"],
  [`${HISTORY}?to=`, "to", "must be an RFC 3339 time such as 2026-11-23T14:30:00Z"],
  [`${HISTORY}?last=1&last=2`, "last", "is given more than once"],
  [`${HISTORY}?source=a&source=a`, "source", "is given more than once"],
  [`${HISTORY}?source=${"a".repeat(256)}`, "source", "must be at most 255 bytes of UTF-8"],
  [`${HISTORY}?${"topic=a&".repeat(65)}`, "topic", "is given more than 64 times"],
  [`/api/topics?${"pattern=a&".repeat(65)}`, "pattern", "is given more than 64 times"],
] as const;

const unknown = [
  [`${HISTORY}?limit=5`, "limit", "this call accepts last, topic, pattern, from, to, source, before, after"],
  [`${HISTORY}?Last=5`, "Last", "did you mean last?"],
  [`${HISTORY}?souce=a`, "souce", "did you mean source?"],
  [`${HISTORY}?befor=1`, "befor", "did you mean before?"],
  [`${HISTORY}?=1`, "", "this call accepts"],
  [`${HISTORY}?constructor=1`, "constructor", "this call accepts"],
  [`${HISTORY}?__proto__=1`, "__proto__", "this call accepts"],
  [`${HISTORY}?%3Cscript%3E=1`, "<script>", "this call accepts"],
  [`${HISTORY}?${"x".repeat(5000)}=1`, "x".repeat(64), "this call accepts"],
  ["/api/events/1?verbose=true", "verbose", "this call accepts none"],
  ["/api/topics?patern=a", "patern", "did you mean pattern?"],
  ["/api/stats?x=1", "x", "this call accepts none"],
  ["/healthz?x=1", "x", "this call accepts none"],
  ["/readyz?x=1", "x", "this call accepts none"],
] as const;

const patterns = [
  [`${HISTORY}?topic=%5B`, 0],
  [`${HISTORY}?topic=a.%5B`, 2],
  [`${HISTORY}?topic=%7Ba,b`, 0],
  [`${HISTORY}?topic=*&topic=a%5C`, 1],
  ["/api/topics?pattern=%5B", 0],
] as const;

/** The path with its query, as short as a test's name should be. */
const short = (target: string) => (target.length > 60 ? `${target.slice(0, 60)}…` : target);

describe("a query is rejected with", () => {
  for (const [target, parameter, detail] of invalid) {
    test(`parameter_invalid for ${short(target)}`, async () => {
      const problem = await expectProblem(await fetch(service.url + target), "parameter_invalid");
      expect(problem).toMatchObject({ parameter, detail: expect.stringContaining(detail) });
    });
  }

  for (const [target, parameter, words] of unknown) {
    test(`parameter_unknown for ${short(target)}`, async () => {
      const problem = await expectProblem(await fetch(service.url + target), "parameter_unknown");
      expect(problem.parameter).toBe(parameter);
      expect(problem.detail).toContain(words);
    });
  }

  for (const [target, position] of patterns) {
    test(`pattern_invalid for ${target}`, async () => {
      const problem = await expectProblem(await fetch(service.url + target), "pattern_invalid");
      expect(problem.position).toBe(position);
    });
  }

  for (const text of ["%zz", "%", "%2", "%ff", "%ED%A0%80", "%C0%80"]) {
    test(`parameter_invalid for the bytes ${text}`, async () => {
      const answer = await exchange(service.url, requestText(`GET ${HISTORY}?source=${text}`));
      expect(expectRawProblem(answer, "parameter_invalid").detail).toContain("percent-encoded UTF-8");
    });
  }
});

describe("a query is taken", () => {
  const taken = [
    "?",
    "?&&last=1&",
    "?source=a?b",
    "?source=a=b",
    "?source=100%25",
    "?source=%F0%9F%98%80",
    "?topic=%2A",
  ];
  for (const query of [...taken, "?from=2026-11-23t14:30:00.123456789z", "?from=2026-11-23%2014:30:00-00:00"]) {
    test(`with ${query}`, async () => {
      const answer = await exchange(service.url, requestText(`GET ${HISTORY}${query}`));
      expect(answer?.status).toBe(200);
    });
  }

  test("with a plus sign for a space", async () => {
    await service.bus.publish("a", null, "two words");
    const answer = await (await fetch(`${service.url}${HISTORY}?source=two+words`)).json();
    expect(answer).toHaveLength(1);
  });
});
