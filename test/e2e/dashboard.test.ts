import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Binary } from "../helpers/binary.ts";
import { openDashboard } from "../helpers/dashboard.ts";
import { describeWith } from "../helpers/requires.ts";

let server: Binary;
beforeAll(async () => {
  server = await Binary.start();
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe("the page of the compiled program", () => {
  const get = (path: string, init?: RequestInit) => fetch(`${server.url}${path}`, init);

  test("lets the browser load nothing from elsewhere, and allows no framing", async () => {
    const { headers } = await get("/");
    expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toStartWith("default-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  test("has no inline script, and names files of its own that never change", async () => {
    const page = await (await get("/")).text();
    const paths = [...page.matchAll(/(?:src|href)="\.(\/[^"]+)"/g)].map(([, path]) => path ?? "");
    expect(page.match(/<script[^>]*>(?!<\/script>)/g)).toBeNull();
    expect(paths.map((path) => path.split(".").at(-1)).toSorted()).toEqual(["css", "js", "svg"]);
    for (const path of paths) {
      const { status, headers } = await get(path);
      expect([status, headers.get("cache-control")]).toEqual([200, "public, max-age=31536000, immutable"]);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  test("is sent only once to a browser that caches it", async () => {
    const tag = (await get("/")).headers.get("etag") ?? "";
    const again = await get("/", { headers: { "If-None-Match": tag } });
    expect(tag).toMatch(/^"\w+"$/);
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  test("answers HEAD, and rejects other methods", async () => {
    const head = await get("/", { method: "HEAD" });
    expect([head.status, head.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    const post = await get("/", { method: "POST" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  test("is not shown under a foreign name, nor to a foreign page", async () => {
    expect((await get("/", { headers: { Host: "evil.example" } })).status).toBe(403);
    expect((await get("/", { headers: { Origin: "http://evil.example" } })).status).toBe(403);
  });

  test("has no other files", async () => {
    expect((await get("/dashboard/..%2f..%2fpackage.json")).status).toBe(404);
    expect((await get("/index.html")).status).toBe(404);
  });
});

describeWith("chromium", "the dashboard of the compiled program", () => {
  test("shows what curl publishes, and sends requests only to the server", async () => {
    await using dashboard = await openDashboard(server.url);
    const { page, record } = dashboard;
    await page.getByRole("heading", { name: "Nothing yet" }).waitFor();
    const body = '{"topic":"orders.created","data":{"total":1.10,"big":12345678901234567890}}';
    const curl = Bun.spawn(["curl", "-s", `${server.url}/api/events/publish`, "-d", body], { stdout: "ignore" });
    await page.getByRole("option", { name: "orders.created" }).click();
    expect(await page.getByRole("article").textContent()).toContain("total: 1.10big: 12345678901234567890");
    expect(await curl.exited).toBe(0);
    for (const view of ["History", "Topics", "Publish", "Health"]) {
      await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: view }).click();
      await page.getByRole("heading", { name: view, exact: true, level: 1 }).waitFor({ state: "attached" });
    }
    expect(record.requests.filter((url) => !url.startsWith(`${server.url}/`) && !url.startsWith("data:font/"))).toEqual(
      [],
    );
    expect(record.complaints).toEqual([]);
  });
});
