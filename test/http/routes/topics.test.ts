import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TopicSummary } from "../../../src/protocol/event.ts";
import { expectOk, expectProblem, publish, publishMany } from "../../helpers/http.ts";
import { startService, type TestService } from "../../helpers/service.ts";

/** What one page of topics has, and the address to which its `Link` leads. */
async function pageAt(address: string): Promise<{ topics: TopicSummary[]; next: string | undefined }> {
  const response = await fetch(address);
  const link = response.headers.get("link");
  const target = link === null ? undefined : /^<(topics\?[^>]+)>; rel="next"$/.exec(link)?.[1];
  if (link !== null && target === undefined) throw new Error(`not a link to the next page: ${link}`);
  const topics = await expectOk<TopicSummary[]>(response);
  return { topics, next: target === undefined ? undefined : new URL(target, address).href };
}

/** Goes through the pages; calls back between two. */
async function walk(url: string, query: string, between = async () => {}): Promise<string[][]> {
  const pages: string[][] = [];
  for (let address: string | undefined = `${url}/api/topics?${query}`; address !== undefined; ) {
    const { topics, next } = await pageAt(address);
    pages.push(topics.map(({ topic }) => topic));
    if (next !== undefined) await between();
    address = next;
  }
  return pages;
}

const numbered = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, index) => ({ topic: `${prefix}${String(index).padStart(5, "0")}` }));

describe("GET /api/topics", () => {
  test("returns an empty array, and no Link, when nothing is kept", async () => {
    await using service = await startService();
    expect(await pageAt(`${service.url}/api/topics`)).toEqual({ topics: [], next: undefined });
  });

  test("counts the events of each topic, by name", async () => {
    await using service = await startService();
    await publish(service.url, "b.two", 1, "me");
    const { created_at: last_at } = await publish(service.url, "a.one");
    const { created_at } = await publish(service.url, "b.two", 2, "you");
    expect(await expectOk<unknown>(await fetch(`${service.url}/api/topics`))).toEqual([
      { topic: "a.one", count: 1, last_id: 2, last_at },
      { topic: "b.two", count: 2, last_id: 3, last_at: created_at },
    ]);
  });

  test("returns the topics that match any pattern", async () => {
    await using service = await startService();
    await publishMany(service.url, [{ topic: "a.1" }, { topic: "b.1" }, { topic: "c.1" }]);
    const response = await fetch(`${service.url}/api/topics?pattern=a.*&pattern=c.?`);
    expect(await expectOk<unknown>(response)).toMatchObject([{ topic: "a.1" }, { topic: "c.1" }]);
  });

  test("forgets a topic whose last event was pruned", async () => {
    await using service = await startService({ maxHistory: 1 });
    await publishMany(service.url, [{ topic: "gone" }, { topic: "kept" }]);
    await service.bus.prune();
    expect(await expectOk<unknown>(await fetch(`${service.url}/api/topics`))).toMatchObject([{ topic: "kept" }]);
  });
});

describe("pages of topics", () => {
  const names = ["a", "a.b", "a.b.c", "ab", "b", "b.é", "b.日", "c", "c.d"];
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
    await publishMany(
      service.url,
      names.toReversed().map((topic) => ({ topic })),
    );
  });
  afterAll(() => service[Symbol.asyncDispose]());

  test.each([
    ["limit=1", 9],
    ["limit=4", 3],
    ["limit=9", 1],
    ["limit=2&pattern=a*", 2],
    ["limit=1&pattern=*.c&pattern=b*", 4],
    ["limit=2&after=a.b", 4],
    ["limit=2&after=b&pattern=*b*", 1],
  ])("of %s have together what one page has, in %i pages", async (query, count) => {
    const pages = await walk(service.url, query);
    expect(pages).toHaveLength(count);
    expect(await walk(service.url, query.replace(/limit=\d+/, "limit=10000"))).toEqual([pages.flat()]);
  });

  test.each([
    ["", names],
    ["a.b", ["a.b.c", "ab", "b", "b.é", "b.日", "c", "c.d"]],
    ["a.b.", ["a.b.c", "ab", "b", "b.é", "b.日", "c", "c.d"]],
    ["[not / a, topic", names],
    ["b.é", ["b.日", "c", "c.d"]],
    ["c.d", []],
    ["\u{10ffff}", []],
  ])("begin after %j, whether or not there is such a topic", async (after, expected) => {
    expect((await walk(service.url, `after=${encodeURIComponent(after)}`)).flat()).toEqual(expected);
  });

  test("have a thousand topics by default", async () => {
    await using many = await startService();
    await publishMany(many.url, numbered(2500, "t."));
    expect((await walk(many.url, "")).map(({ length }) => length)).toEqual([1000, 1000, 500]);
  });

  test("name no token in their Link, and keep every other parameter", async () => {
    const response = await fetch(`${service.url}/api/topics?access_token=secret&pattern=%2A&limit=3&pattern=b`);
    expect(response.headers.get("link")).toBe('<topics?pattern=*&limit=3&pattern=b&after=a.b.c>; rel="next"');
    await expectOk(response);
  });

  test.each([
    ["limit=0", "parameter_invalid", "limit"],
    ["limit=10001", "parameter_invalid", "limit"],
    ["limit=many", "parameter_invalid", "limit"],
    ["limit=1&limit=2", "parameter_invalid", "limit"],
    ["after=a&after=b", "parameter_invalid", "after"],
    ["before=a", "parameter_unknown", "before"],
    ["last=5", "parameter_unknown", "last"],
    ["pattern=%5B", "pattern_invalid", "pattern"],
  ] as const)("reject %s", async (query, code, parameter) => {
    const problem = await expectProblem(await fetch(`${service.url}/api/topics?${query}`), code);
    expect(problem.parameter).toBe(parameter);
  });

  test("have each kept topic once while others are published and pruned", async () => {
    const kept = 2000;
    await using busy = await startService({ maxHistory: kept });
    await publishMany(busy.url, numbered(kept, "old."));
    const staying = numbered(kept / 2, "stay.");
    await publishMany(busy.url, staying);
    let round = 0;
    const disturb = async () => {
      await publishMany(busy.url, numbered(50, `new.${round++}.`));
      await busy.bus.prune();
    };
    const topics = (await walk(busy.url, "limit=300", disturb)).flat();
    expect(topics).toEqual([...new Set(topics)].sort());
    expect(topics.filter((topic) => topic.startsWith("stay."))).toEqual(staying.map(({ topic }) => topic));
    expect(round).toBeGreaterThan(3);
  });
});
