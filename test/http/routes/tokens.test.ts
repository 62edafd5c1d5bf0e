import { describe, expect, test } from "bun:test";
import type { NewToken, TokenInfo } from "../../../src/protocol/token.ts";
import { openEdge } from "../../helpers/edge.ts";
import { expectOk, expectProblem } from "../../helpers/http.ts";
import { permissions } from "../../helpers/permissions.ts";
import { startService, type TestService } from "../../helpers/service.ts";

const root = { name: "root", publish: [], subscribe: ["*"], consume: [], admin: true, monitor: false };

function ask(service: TestService, method: string, path = "", body?: unknown, secret = ""): Promise<Response> {
  const headers = { Authorization: `Bearer ${secret}` };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(`${service.url}/api/tokens${path}`, { method, headers, ...(body === undefined ? {} : { body: text }) });
}

describe("/api/tokens", () => {
  test("creates, lists and revokes tokens; a secret is returned once", async () => {
    await using service = await startService();
    const made = await ask(service, "POST", "", root);
    expect(made.status).toBe(201);
    const { secret, ...rest } = (await made.json()) as NewToken;
    expect(rest).toEqual({ ...root, expires_at: null });
    expect(secret).toMatch(/^ebt_[\w-]{43}$/);
    const shop = {
      name: "shop",
      publish: ["a.*"],
      subscribe: [],
      consume: ["billing"],
      admin: false,
      monitor: true,
      expires_at: "2100-01-01T00:00:00.000Z",
    };
    await ask(service, "POST", "", shop, secret);
    const list = await ask(service, "GET", "", undefined, secret);
    expect(await expectOk<TokenInfo[]>(list)).toEqual([rest, shop]);
    expect((await ask(service, "DELETE", "/shop", undefined, secret)).status).toBe(204);
    await expectProblem(await ask(service, "DELETE", "/shop", undefined, secret), "not_found");
  });

  test("lists many tokens, by name, in an answer that is sent in pieces", async () => {
    await using edge = openEdge();
    const { secret } = await edge.tokens.create({ ...permissions, name: "root", isAdmin: true });
    const names = Array.from({ length: 1000 }, (_, index) => `t${index}`);
    for (const name of names) await edge.tokens.create({ ...permissions, name, publish: [`site.${name}.*`] });
    const response = await fetch(`${edge.url}/api/tokens`, { headers: { Authorization: `Bearer ${secret}` } });
    const listed = await expectOk<TokenInfo[]>(response);
    expect(listed.map(({ name }) => name)).toEqual(["root", ...names].sort());
  });

  test("does not revoke the last admin", async () => {
    await using service = await startService();
    const { secret } = (await (await ask(service, "POST", "", root)).json()) as NewToken;
    const refused = await expectProblem(await ask(service, "DELETE", "/root", undefined, secret), "parameter_invalid");
    expect(refused.detail).toContain("last valid admin token");
    await ask(service, "POST", "", { ...root, name: "second" }, secret);
    expect((await ask(service, "DELETE", "/root", undefined, secret)).status).toBe(204);
  });

  test.each([
    ["parameter_invalid", { name: "shop", publish: ["*"] }, "first token must be an admin token"],
    ["parameter_invalid", { admin: true }, "needs a name"],
    ["parameter_invalid", { name: "a b", admin: true }, "letters, digits"],
    ["parameter_invalid", { name: "", admin: true }, "letters, digits"],
    ["parameter_invalid", { name: "a", admin: "yes" }, "true or false"],
    ["parameter_invalid", { name: "a", admin: null }, "true or false"],
    ["parameter_invalid", { name: "a", admin: true, monitor: null }, "true or false"],
    ["parameter_invalid", { name: "a", admin: true, publish: null }, "array of patterns"],
    ["parameter_invalid", { name: "a", admin: true, publish: "*" }, "array of patterns"],
    ["parameter_invalid", { name: "a", admin: true, publish: Array(65).fill("a") }, "at most 64"],
    ["parameter_invalid", { name: "a", admin: true, expires_at: "tomorrow" }, "RFC 3339"],
    ["parameter_invalid", { name: "a", admin: true, expires_at: "2001-01-01T00:00:00Z" }, "must be in the future"],
    ["pattern_invalid", { name: "a", admin: true, subscribe: ["["] }, ""],
    ["parameter_unknown", { name: "a", admn: true }, "did you mean admin"],
    ["json_invalid", "{", ""],
  ] as const)("says %s to %j", async (code, body, detail) => {
    await using service = await startService();
    expect((await expectProblem(await ask(service, "POST", "", body), code)).detail).toContain(detail);
    expect(await expectOk<TokenInfo[]>(await ask(service, "GET"))).toEqual([]);
  });

  test("rejects a name that is taken, and a token that may do nothing", async () => {
    await using service = await startService();
    const { secret } = (await (await ask(service, "POST", "", root)).json()) as NewToken;
    await expectProblem(await ask(service, "POST", "", root, secret), "parameter_invalid");
    await expectProblem(await ask(service, "POST", "", { name: "idle" }, secret), "parameter_invalid");
  });
});
