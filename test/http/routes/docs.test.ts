import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { TrustedProxies } from "../../../src/http/access/proxies.ts";
import { appRoutes } from "../../../src/http/app.ts";
import { exampleOf } from "../../../src/http/docs/problems.ts";
import { SpareTime } from "../../../src/http/limits/spare-time.ts";
import { SubscriberSlots } from "../../../src/http/limits/subscriber-limits.ts";
import { Waiting } from "../../../src/http/limits/waiting.ts";
import { Streams } from "../../../src/http/stream/streams.ts";
import { Takes } from "../../../src/http/stream/takes.ts";
import { type ErrorCode, problems } from "../../../src/protocol/problem.ts";
import { ConsumerBench } from "../../helpers/consumers.ts";
import { openGate } from "../../helpers/gate.ts";
import {
  callsOf,
  type DocumentedCall,
  examplesOf,
  type OpenApi,
  refsIn,
  resolve,
  SchemaChecker,
  valuesOf,
} from "../../helpers/openapi.ts";
import { sharedService, startService } from "../../helpers/service.ts";

const service = sharedService({ maxBody: 1024, maxHistory: 3 });
const bench = new ConsumerBench();
let document: OpenApi;
let calls: DocumentedCall[];
let schemas: SchemaChecker;

beforeAll(async () => {
  document = (await (await fetch(`${service.url}/swagger/json`)).json()) as OpenApi;
  calls = callsOf(document);
  schemas = new SchemaChecker(document);
});

afterAll(() => bench[Symbol.asyncDispose]());

describe("the OpenAPI document", () => {
  test("is valid", async () => {
    const copy = structuredClone(document) as unknown as Record<string, unknown>;
    expect(await new Validator().validate(copy)).toMatchObject({ valid: true });
  });

  test("is about this server, wherever that is reached", () => {
    expect(document.servers.map(({ url }) => url)).toEqual([".."]);
    expect(document.info).toMatchObject({ title: "eventbus", version: "0.0.0-test" });
    expect(JSON.stringify(document)).not.toContain("Development documentation");
  });

  test("has every route of the server, and no other", () => {
    const documented = calls.map(({ method, path }) => `${method} ${path}`);
    expect(documented.toSorted()).toEqual(routes().toSorted());
  });

  test("describes every call", () => {
    const tags = document.tags.map(({ name }) => name);
    for (const { operation } of calls) {
      expect(operation.summary?.length).toBeGreaterThan(5);
      expect(operation.description?.length).toBeGreaterThan(20);
      expect(tags).toContain(operation.tags?.[0] ?? "");
      for (const parameter of operation.parameters) expect(parameter.description?.length).toBeGreaterThan(10);
    }
  });

  test("names no operation twice", () => {
    const names = calls.map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
  });

  test("shows for every call a response that is not an error, with schema and example", () => {
    for (const { operation, path } of calls) {
      const [status, good] = Object.entries(operation.responses).find(([one]) => Number(one) < 300) ?? [];
      if (status === "204") continue;
      const media = Object.values(good?.content ?? {});
      expect({ path, media: media.length }).not.toEqual({ path, media: 0 });
      for (const one of media) expect(valuesOf(document, one)).not.toBeEmpty();
    }
  });

  test("has nothing but examples that fit their schemas", () => {
    const examples = examplesOf(document);
    const wrong = examples.map(({ where, schema, value }) => ({ where, faults: schemas.faults(schema, value) }));
    expect(wrong.filter(({ faults }) => faults !== "")).toEqual([]);
    expect(examples.length).toBeGreaterThan(100);
  });

  test("has no reference that leads nowhere", () => {
    const refs = refsIn(document);
    expect(refs.filter((ref) => resolve(document, ref) === undefined)).toEqual([]);
    expect(refs).not.toBeEmpty();
  });

  test("has the codes of errors that the server throws, and no other", async () => {
    const documented = new Set(calls.flatMap(({ operation }) => codesOf(operation.responses)));
    expect([...documented].sort()).toEqual((await thrownCodes()).sort());
  });
});

describe("an answer is as documented", () => {
  const order = JSON.stringify({ topic: "orders.created", data: { total: 25 } });
  const lines = `${order}\n`.repeat(5);
  const ndjson = { "Content-Type": "application/x-ndjson" };
  const text = { "Content-Type": "text/plain" };
  const key = { "Idempotency-Key": "a key" };

  beforeAll(async () => {
    const send = (init: RequestInit) => fetch(`${service.url}/api/events/publish`, { method: "POST", ...init });
    await send({ body: order, headers: key });
    await send({ body: lines, headers: ndjson });
    await service.bus.prune();
  });

  test.each<[status: number, call: string, address: string, init: RequestInit]>([
    [200, "POST /api/events/publish", "", { body: order }],
    [200, "POST /api/events/publish", "", { body: order, headers: key }],
    [200, "POST /api/events/publish", "", { body: lines, headers: ndjson }],
    [409, "POST /api/events/publish", "", { body: '{"topic":"other"}', headers: key }],
    [400, "POST /api/events/publish", "", { body: '{"topic":' }],
    [400, "POST /api/events/publish", "", { body: '{"topic":"a..b"}' }],
    [400, "POST /api/events/publish", "", { body: '{"topic":"a","tpoic":"b"}' }],
    [400, "POST /api/events/publish", "", { body: '{"topic":"a","source":1}' }],
    [413, "POST /api/events/publish", "", { body: JSON.stringify({ topic: "a", data: "x".repeat(2000) }) }],
    [415, "POST /api/events/publish", "", { body: "<a/>", headers: { "Content-Type": "text/xml" } }],
    [403, "POST /api/events/publish", "", { body: "{}", headers: { Origin: "http://elsewhere.example" } }],
    [200, "POST /api/events/publish/{topic}", "/api/events/publish/a.b?source=shop", { body: "[1]" }],
    [200, "POST /api/events/publish/{topic}", "/api/events/publish/a.b", { body: "some words", headers: text }],
    [400, "POST /api/events/publish/{topic}", "/api/events/publish/a*b", { body: "1" }],
    [200, "GET /api/events/history", "/api/events/history?last=2&topic=*", {}],
    [400, "GET /api/events/history", "/api/events/history?topic=%5B", {}],
    [400, "GET /api/events/history", "/api/events/history?last=0", {}],
    [200, "GET /api/events/{id}", "/api/events/6", {}],
    [404, "GET /api/events/{id}", "/api/events/1000", {}],
    [410, "GET /api/events/{id}", "/api/events/1", {}],
    [426, "GET /api/events/subscribe", "", {}],
    [400, "GET /api/events/stream", "/api/events/stream?since=yesterday", {}],
    [200, "GET /api/topics", "", {}],
    [400, "GET /api/topics", "/api/topics?patern=*", {}],
    [200, "GET /api/stats", "", {}],
    [405, "GET /api/stats", "", { method: "PUT" }],
    [200, "GET /healthz", "", {}],
    [200, "GET /readyz", "", {}],
    [200, "GET /swagger/json", "", {}],
    [200, "GET /asyncapi.json", "", {}],
    [200, "POST /api/events/prune", "", {}],
    [200, "GET /api/tokens", "", {}],
    [400, "POST /api/tokens", "", { body: '{"name":"shop","publish":["*"]}' }],
    [404, "DELETE /api/tokens/{name}", "/api/tokens/nobody", { method: "DELETE" }],
  ])("%i to %s%s", (status, call, address, init) => expectAsDocumented(service.url, { status, call, address, init }));

  test("when a token is made, and from then on", async () => {
    await using guarded = await startService();
    const steps = [
      { status: 201, call: "POST /api/tokens", init: { body: '{"name":"root","admin":true}' } },
      { status: 401, call: "POST /api/events/publish", init: { body: order } },
      { status: 401, call: "GET /api/events/stream", init: { headers: { Authorization: "Bearer ebt_nobody" } } },
    ];
    for (const step of steps) await expectAsDocumented(guarded.url, { ...step, address: "" });
  });
});

interface Step {
  readonly status: number;
  /** Method and path, as documented. */
  readonly call: string;
  /** Where it is sent, when that is not the path. */
  readonly address: string;
  readonly init: RequestInit;
}

async function expectAsDocumented(url: string, { status, call, address, init }: Step): Promise<void> {
  const [method = "", path = ""] = call.split(" ");
  const response = await fetch(`${url}${address || path}`, { method, ...init });
  expect(response.status).toBe(status);
  const documented = document.paths[path]?.[method.toLowerCase()]?.responses[status];
  const [mediaType = ""] = (response.headers.get("content-type") ?? "").split(";");
  const schema = documented?.content?.[mediaType]?.schema ?? { not: {} };
  expect(schemas.faults(schema, await response.json())).toBe("");
  const told = TELLING_HEADERS.filter((name) => response.headers.has(name));
  expect(Object.keys(documented?.headers ?? {})).toEqual(expect.arrayContaining(told));
}

describe("the example of a problem is what the server sends", () => {
  test.each<[code: ErrorCode, address: string, init: RequestInit]>([
    ["json_invalid", "/api/events/publish", { method: "POST", body: '{"topic":"orders.created","data":}' }],
    ["topic_invalid", "/api/events/publish", { method: "POST", body: '{"topic":"orders..created"}' }],
    ["pattern_invalid", "/api/events/history?topic=orders.%5B", {}],
    ["parameter_invalid", "/api/events/history?last=0", {}],
    ["parameter_unknown", "/api/events/history?sorce=shop", {}],
    ["origin_forbidden", "/api/stats", { headers: { Origin: "http://elsewhere.example" } }],
    ["method_not_allowed", "/api/stats", { method: "PUT" }],
    ["upgrade_required", "/api/events/subscribe", {}],
    [
      "media_type_unsupported",
      "/api/events/publish",
      { method: "POST", body: "<a/>", headers: { "Content-Type": "text/xml" } },
    ],
  ])("%s", async (code, address, init) => {
    const answer = await fetch(`${service.url}${address}`, init);
    expect(await answer.json()).toEqual(exampleOf(code));
  });
});

/** Headers that a client should know about; the others are what every HTTP answer has. */
const TELLING_HEADERS = ["Allow", "Idempotency-Replayed", "Link", "Retry-After", "Upgrade", "WWW-Authenticate"];

/** `METHOD /path/{parameter}` of every route that is not hidden from the documentation. */
function routes(): string[] {
  const limits = {
    slots: new SubscriberSlots(1),
    spareTime: new SpareTime({ head: () => 0 }),
    waiting: new Waiting(),
    maxPatterns: 1,
    maxBodyBytes: 1,
    maxNdjsonBytes: 1,
    stallMs: 1000,
  };
  const opened = openGate();
  const app = appRoutes({
    ...opened,
    bus: service.bus,
    streams: new Streams(service.bus, limits, opened.gate),
    subscribers: () => [],
    service: {
      metrics: { contentType: "text/plain", text: async () => "" },
      stats: () => ({}),
      notReady: () => undefined,
    },
    senderOf: ({ headers }) => new TrustedProxies([]).senderOf(headers, undefined),
    consumers: bench.consumers,
    takes: new Takes(opened.gate.guests),
    makeCopy: () => Promise.reject(new Error("there is no file to copy")),
    limits,
    version: "",
    onError: () => {},
  });
  const shown = app.filter(({ docs }) => docs !== undefined);
  return shown.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
}

/** The codes that the schemas of these answers list. */
function codesOf(responses: DocumentedCall["operation"]["responses"]): string[] {
  const parts = Object.values(responses).flatMap(
    ({ content }) => content?.["application/problem+json"]?.schema["allOf"],
  );
  return parts.flatMap((part) => (part as { properties?: { code: { enum: string[] } } })?.properties?.code.enum ?? []);
}

const SOURCE = join(import.meta.dir, "../../../src");

/** The codes that the source of the server names anywhere but in the documentation. */
async function thrownCodes(): Promise<ErrorCode[]> {
  const names = [...new Bun.Glob("{bus,http,store}/**/*.ts").scanSync(SOURCE), "service.ts"];
  const files = names.filter((name) => !name.startsWith("http/docs/"));
  const source = (await Promise.all(files.map((name) => Bun.file(join(SOURCE, name)).text()))).join("");
  return (Object.keys(problems) as ErrorCode[]).filter((code) => source.includes(`"${code}"`));
}
