import type { Principal } from "../../bus/access/principal.ts";
import type { TokenRecord, TokenSpec } from "../../bus/access/token-record.ts";
import { type TokenBook, tokenInfoOf } from "../../bus/access/tokens.ts";
import { BusError } from "../../bus/errors.ts";
import { parseTime } from "../../bus/start.ts";
import type { NewToken } from "../../protocol/token.ts";
import type { Callers } from "../access/gate.ts";
import { createTokenDocs, listTokensDocs, revokeTokenDocs } from "../docs/tokens.ts";
import type { Waiting } from "../limits/waiting.ts";
import { mediaTypeOf, readBody } from "../request/body.ts";
import { decodedSegment } from "../request/envelope.ts";
import { type Members, sliceMembers } from "../request/members.ts";
import { decodeUtf8 } from "../request/utf8.ts";
import { DATA_HEADERS, json, jsonText } from "../response/answer.ts";
import { arrayBody } from "../response/array-body.ts";
import { type Route, route } from "./route.ts";

const TOKENS_PATH = "/api/tokens";
const MEMBERS = ["name", "publish", "subscribe", "consume", "admin", "monitor", "expires_at"] as const;
/** Tokens that are serialized in one turn of the loop: a few milliseconds if each has 128 long patterns. */
const TOKENS_A_TURN = 100;
/** Room for 128 patterns of 256 characters. */
const MAX_BODY_BYTES = 256 * 1024;

/** `GET`, `POST` and `DELETE` of the named tokens. */
export function tokenRoutes(tokens: TokenBook, callers: Callers, waiting: Waiting): Route[] {
  return [
    route({
      method: "GET",
      path: TOKENS_PATH,
      access: "admin",
      docs: listTokensDocs,
      handle: () => list(tokens.list(), waiting),
    }),
    route({
      method: "POST",
      path: TOKENS_PATH,
      access: "admin",
      docs: createTokenDocs,
      handle: ({ request, caller }) => create(tokens, request, caller, callers),
    }),
    route({
      method: "DELETE",
      path: `${TOKENS_PATH}/:name`,
      access: "admin",
      docs: revokeTokenDocs,
      handle: ({ caller, segment }) => revoke(tokens, decodedSegment(segment), caller),
    }),
  ];
}

/** The tokens as of the moment of the request. */
async function list(records: readonly TokenRecord[], waiting: Waiting): Promise<Response> {
  const texts: string[] = [];
  for (const record of records) {
    if (texts.length % TOKENS_A_TURN === TOKENS_A_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
    texts.push(JSON.stringify(tokenInfoOf(record)));
  }
  return jsonText(arrayBody(texts, waiting));
}

async function create(tokens: TokenBook, request: Request, caller: Principal, callers: Callers): Promise<Response> {
  mediaTypeOf(request, ["json"]);
  const body = decodeUtf8(await readBody(request, MAX_BODY_BYTES));
  callers.requireValid(caller);
  const { record, secret } = await tokens.create(parseTokenSpec(body), caller.name);
  return json({ ...tokenInfoOf(record), secret } satisfies NewToken, 201);
}

async function revoke(tokens: TokenBook, name: string, by: Principal): Promise<Response> {
  await tokens.revoke(name, by.name);
  return new Response(null, { status: 204, headers: DATA_HEADERS });
}

function parseTokenSpec(text: string): TokenSpec {
  const members = sliceMembers(text, '{"name":…}');
  members.requireOnly(MEMBERS);
  const name = members.value("name");
  if (typeof name !== "string") throw invalid("name", 'a token needs a name: {"name":"shop"}');
  return {
    name,
    publish: patternsOf(members, "publish"),
    subscribe: patternsOf(members, "subscribe"),
    consume: patternsOf(members, "consume"),
    isAdmin: switchOf(members, "admin"),
    isMonitor: switchOf(members, "monitor"),
    expiresMs: expiryOf(members),
  };
}

function patternsOf(members: Members, name: "publish" | "subscribe" | "consume"): string[] {
  const value = members.raw(name) === undefined ? [] : members.value(name);
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw invalid(name, `${name} must be an array of patterns: ["orders.*"]`);
}

function switchOf(members: Members, name: "admin" | "monitor"): boolean {
  const value = members.raw(name) === undefined ? false : members.value(name);
  if (typeof value === "boolean") return value;
  throw invalid(name, `${name} must be true or false`);
}

function expiryOf(members: Members): number | undefined {
  const value = members.value("expires_at") ?? undefined;
  if (value === undefined) return undefined;
  const timeMs = typeof value === "string" ? parseTime(value) : undefined;
  if (timeMs !== undefined) return timeMs;
  throw invalid("expires_at", "expires_at must be an RFC 3339 time such as 2026-11-23T14:30:00Z, or null");
}

function invalid(parameter: string, detail: string): BusError {
  return new BusError("parameter_invalid", detail, { members: { parameter } });
}
