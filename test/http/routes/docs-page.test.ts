import { describe, expect, test } from "bun:test";
import { sharedService } from "../../helpers/service.ts";

const service = sharedService();
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${service.url}${path}`, { headers, redirect: "manual" });

describe("the docs page", () => {
  test("lets the browser load nothing from elsewhere", async () => {
    const response = await get("/swagger");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toStartWith("default-src 'none'; script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/https?:|\*/);
  });

  test("names only relative addresses, and has no script in it", async () => {
    const page = await (await get("/swagger")).text();
    expect(page.match(/\b(src|href)="(?!swagger\/|asyncapi\.json"|\.\/"|data:)/g)).toBeNull();
    expect(page.match(/<script[^>]*>(?!<\/script>)/g)).toBeNull();
  });

  test("is found with a slash at the end too", async () => {
    const response = await get("/swagger/");
    expect(response.status).toBe(308);
    expect(response.headers.get("location")).toBe("../swagger");
  });

  test.each([
    ["ui.js", "text/javascript; charset=utf-8", "SwaggerUIBundle"],
    ["ui.css", "text/css; charset=utf-8", ".swagger-ui"],
    ["start.js", "text/javascript; charset=utf-8", "swagger/json"],
    ["theme.css", "text/css; charset=utf-8", ".bar"],
  ])("loads %s", async (name, type, part) => {
    const response = await get(`/swagger/${name}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(type);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.text()).toContain(part);
  });

  test("sends a file only once to a browser that keeps it", async () => {
    const tag = (await get("/swagger/ui.js")).headers.get("etag") ?? "";
    const again = await get("/swagger/ui.js", { "If-None-Match": tag });
    expect(tag).toMatch(/^"\w+"$/);
    expect(again.status).toBe(304);
    expect(await again.text()).toBe("");
  });

  test("has no other files", async () => {
    expect((await get("/swagger/ui.js.map")).status).toBe(404);
    expect((await get("/swagger/..%2f..%2fpackage.json")).status).toBe(404);
  });
});
