import { expect, test } from "bun:test";
import { connect } from "../../src/client/index.ts";
import { publishMany } from "../helpers/http.ts";
import { sharedService } from "../helpers/service.ts";
import { failureOf, scriptedServer } from "./failure.ts";

const service = sharedService();
const names = (pages: readonly (readonly { topic: string }[])[]) => pages.map((page) => page.map(({ topic }) => topic));

/** A proxy that serves the bus under `/bus`. */
function prefixProxy() {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url, headers }) => {
      const { pathname, search } = new URL(url);
      if (!pathname.startsWith("/bus/")) return new Response("another service", { status: 404 });
      return fetch(`${service.url}${pathname.slice("/bus".length)}${search}`, {
        headers: { accept: headers.get("accept") ?? "*/*" },
      });
    },
  });
  return { url: `${server.url.href}bus`, [Symbol.dispose]: () => void server.stop(true) };
}

test("pages of topics come one at a time, also under a proxy's path", async () => {
  const topics = ["a.1", "a.2", "a.3", "b.1", "b.2"].map((topic) => ({ topic }));
  await publishMany(service.url, topics);
  using proxy = prefixProxy();
  for (const url of [service.url, proxy.url]) {
    const bus = connect(url);
    expect(names(await Array.fromAsync(bus.topicPages([], { limit: 2 })))).toEqual([
      ["a.1", "a.2"],
      ["a.3", "b.1"],
      ["b.2"],
    ]);
    expect(names(await Array.fromAsync(bus.topicPages("*.2", { limit: 1 })))).toEqual([["a.2"], ["b.2"]]);
    expect(names(await Array.fromAsync(bus.topicPages(["a.*", "b.1"], { after: "a.2" })))).toEqual([["a.3", "b.1"]]);
  }
});

test("topics come complete when they fill more than a page", async () => {
  const many = Array.from({ length: 10_000 }, (_, index) => ({ topic: `many.${index}` }));
  await publishMany(service.url, many);
  await publishMany(service.url, [{ topic: "many.x" }, { topic: "many.y" }]);
  const found = await connect(service.url).topics("many.*");
  expect(found).toHaveLength(10_002);
  expect(found.at(-1)).toMatchObject({ topic: "many.y", count: 1 });
});

test("a page is asked for only when it is wanted", async () => {
  using server = scriptedServer(() => Response.json([], { headers: { Link: '<topics?after=a>; rel="next"' } }));
  for await (const _ of connect(server.url).topicPages()) break;
  expect(server.requests).toHaveLength(1);
});

test.each([
  '<topics?pattern=a*&pattern=b&after=x%2Cy>; rel="next"',
  "<https://elsewhere.example/steal?pattern=a*&pattern=b&after=x%2Cy>; rel=next",
  '</style.css>; rel="preload"; as=style, </api/topics?pattern=a*&pattern=b&after=x%2Cy>; title="more"; rel="next"',
])("the next page is asked for where the first one was: %s", async (link) => {
  using server = scriptedServer(
    () => Response.json([{ topic: "a" }], { headers: { Link: link } }),
    () => Response.json([{ topic: "b" }]),
  );
  const pages = await Array.fromAsync(connect(`${server.url}bus`, { token: "ebt_secret" }).topicPages("a*"));
  expect(names(pages)).toEqual([["a"], ["b"]]);
  const next = new URL(server.requests[1]?.url ?? "");
  expect(`${next.pathname}${next.search}`).toBe("/bus/api/topics?pattern=a*&pattern=b&after=x%2Cy");
});

test.each(['</other>; rel="prev"', '<x>; title="a; rel=nextdoor"'])(
  "the last page has no link to one: %s",
  async (link) => {
    using server = scriptedServer(() => Response.json([], { headers: { Link: link } }));
    expect(await Array.fromAsync(connect(server.url).topicPages())).toEqual([[]]);
  },
);

test("an invalid address is the server's fault", async () => {
  using server = scriptedServer(() => Response.json([], { headers: { Link: '<http://[>; rel="next"' } }));
  expect((await failureOf(connect(server.url).topics())).code).toBe("protocol");
});

test("a page is ended by its signal, and rejects a limit out of bounds", async () => {
  const bus = connect(service.url);
  expect((await failureOf(bus.topics("*", { signal: AbortSignal.abort() }))).code).toBe("aborted");
  const tooMany = bus.topicPages("*", { limit: 10_001 }).next();
  expect(await failureOf(tooMany)).toMatchObject({ code: "parameter_invalid", problem: { parameter: "limit" } });
});
