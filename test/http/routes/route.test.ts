import { describe, expect, expectTypeOf, test } from "bun:test";
import { anybody, type Principal } from "../../../src/bus/access/principal.ts";
import { integer, Query, repeatable, text } from "../../../src/http/request/query.ts";
import { type Call, type RouteOptions, route } from "../../../src/http/routes/route.ts";
import { RouteTable } from "../../../src/http/routes/route-table.ts";

const handle = () => new Response("ok");
const query = new Query({ last: integer(1, 9, "How many."), tag: repeatable(text((one) => one, "Any.")) });

describe("a route", () => {
  test("that declares nothing is for admins only, takes no query and is not documented", () => {
    const bare = route({ method: "GET", path: "/bare", handle });
    expect([bare.access, bare.docs]).toEqual(["admin", undefined]);
    const asked = new Request("http://localhost/bare?last=1");
    expect(() => bare.answer(asked, anybody, "")).toThrow("this call accepts none");
  });

  test("gives its handler the caller, the segment and the query as its definition reads it", async () => {
    const echo = route({
      method: "GET",
      path: "/echo/:name",
      query,
      handle: (call) => {
        expectTypeOf(call.caller).toEqualTypeOf<Principal>();
        expectTypeOf(call.query.last).toEqualTypeOf<readonly number[]>();
        expectTypeOf(call.query.tag).toEqualTypeOf<readonly string[]>();
        return Response.json([call.caller.name, call.segment, call.query]);
      },
    });
    const answer = await echo.answer(new Request("http://localhost/echo/x?last=3&tag=a&tag=b"), anybody, "/echo/x");
    expect(await answer.json()).toEqual(["", "x", { last: [3], tag: ["a", "b"] }]);
  });

  test("takes no handler for another query", () => {
    type Handler<Q> = Q extends Query<infer P> ? RouteOptions<P>["handle"] : never;
    expectTypeOf<(call: Call<{ last: readonly string[] }>) => Response>().not.toExtend<Handler<typeof query>>();
    expectTypeOf<(call: Call<{ last: readonly number[] }>) => Response>().toExtend<Handler<typeof query>>();
  });
});

describe("the table of routes", () => {
  const table = new RouteTable([
    route({ method: "GET", path: "/a", handle }),
    route({ method: "POST", path: "/a", handle }),
    route({ method: "GET", path: "/a/:id", handle }),
    route({ method: "POST", path: "/a/:id/b", handle }),
  ]);

  test.each([
    ["GET", "/a", "/a"],
    ["HEAD", "/a", "/a"],
    ["POST", "/a", "/a"],
    ["DELETE", "/a", undefined],
    ["GET", "/a/", undefined],
    ["GET", "/a/1", "/a/:id"],
    ["POST", "/a/1", undefined],
    ["GET", "/a/1/2", undefined],
    ["POST", "/a/1/b", "/a/:id/b"],
    ["POST", "/a//b", undefined],
    ["GET", "/b", undefined],
  ])("finds for %s %s the route %p", (method, path, found) => {
    expect(table.find(method, path)?.path).toBe(found);
  });

  test("names the methods of a path, and its template", () => {
    expect(table.methodsOf("/a").toSorted()).toEqual(["GET", "HEAD", "POST"]);
    expect(table.methodsOf("/b")).toEqual([]);
    expect(["/a", "/a/7", "/b"].map((path) => table.templateOf(path))).toEqual(["/a", "/a/:id", undefined]);
  });
});
