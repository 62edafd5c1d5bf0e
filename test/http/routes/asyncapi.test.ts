import { beforeAll, describe, expect, test } from "bun:test";
import { Parser } from "@asyncapi/parser";
import { subscribeQuery } from "../../../src/http/websocket/subscriptions.ts";
import { history, publishMany } from "../../helpers/http.ts";
import { type OpenApi, refsIn, resolve, type Schema, SchemaChecker } from "../../helpers/openapi.ts";
import { sharedService } from "../../helpers/service.ts";
import { TestSocket } from "../../helpers/socket.ts";

interface Message {
  readonly payload: Schema;
  readonly examples: readonly { readonly payload: Record<string, unknown> }[];
}

interface Ref {
  readonly $ref: string;
}

interface Operation {
  readonly action: "send" | "receive";
  readonly messages: readonly Ref[];
  readonly reply?: { readonly messages: readonly Ref[] };
}

interface AsyncApi {
  readonly servers: Readonly<
    Record<string, { readonly host: string; readonly protocol: string; readonly security: readonly Ref[] }>
  >;
  readonly channels: {
    readonly events: {
      readonly address: string;
      readonly bindings: { readonly ws: { readonly query: { readonly properties: Record<string, Schema> } } };
    };
  };
  readonly operations: Readonly<Record<string, Operation>>;
  readonly components: { readonly messages: Readonly<Record<string, Message>>; readonly schemas: object };
}

const service = sharedService({ maxHistory: 3 });
let text: string;
let document: AsyncApi;
let schemas: SchemaChecker;

beforeAll(async () => {
  text = await (await fetch(`${service.url}/asyncapi.json`)).text();
  document = JSON.parse(text) as AsyncApi;
  schemas = new SchemaChecker(document as unknown as OpenApi);
});

/** The names of the messages whose schemas a frame fits; there should be one. */
function kindsOf(frame: unknown): string[] {
  const all = Object.entries(document.components.messages);
  return all.filter(([, { payload }]) => schemas.faults(payload, frame) === "").map(([name]) => name);
}

function example(name: string): Record<string, unknown> {
  return document.components.messages[name]?.examples[0]?.payload ?? {};
}

function namesOf(refs: readonly Ref[] = []): string[] {
  return refs.map(({ $ref }) => $ref.replace(/.*\//, ""));
}

describe("the AsyncAPI document", () => {
  test("is valid according to AsyncAPI's own parser", async () => {
    expect(await new Parser().validate(text)).toEqual([]);
  });

  test("is rejected by that parser if something is wrong with it", async () => {
    const wrong = text.replace('"action":"send"', '"action":"shout"');
    expect((await new Parser().validate(wrong)).length).toBeGreaterThan(0);
  });

  test("names the server as it was reached", () => {
    expect(document.servers["this"]).toMatchObject({ host: `127.0.0.1:${service.port}`, protocol: "ws" });
  });

  test("has the query parameters that the server reads", () => {
    const { address, bindings } = document.channels.events;
    expect(address).toBe("/api/events/subscribe");
    const names = subscribeQuery.documentation.map(({ name }) => name);
    expect(Object.keys(bindings.ws.query.properties)).toEqual([...names, "access_token"]);
  });

  test("names both ways to send a token", () => {
    const schemes = document.servers["this"]?.security.map(({ $ref }) => resolve(document as unknown as OpenApi, $ref));
    expect(schemes).toMatchObject([
      { type: "http", scheme: "bearer" },
      { type: "httpApiKey", in: "query", name: "access_token" },
    ]);
  });

  test("has no reference that leads nowhere", () => {
    const lost = refsIn(document).filter((ref) => resolve(document as unknown as OpenApi, ref) === undefined);
    expect(lost).toEqual([]);
  });

  test("has an operation for every message, and examples that are that message and no other", () => {
    const used = Object.values(document.operations).flatMap(({ messages, reply }) => [
      ...namesOf(messages),
      ...namesOf(reply?.messages),
    ]);
    const names = Object.keys(document.components.messages);
    expect([...new Set(used)].sort()).toEqual(names.toSorted());
    for (const name of names) expect({ name, kinds: kindsOf(example(name)) }).toEqual({ name, kinds: [name] });
  });
});

describe("a frame of the server is as the AsyncAPI document says", () => {
  test.each(["publish", "subscribe", "unsubscribe", "consume", "ack", "nack", "extend", "ping"])(
    "the answer to the example of %s",
    async (name) => {
      const settings = { method: "PUT", body: JSON.stringify({ pattern: ["none"] }) };
      await fetch(`${service.url}/api/consumers/billing`, settings);
      using socket = await TestSocket.open(service.url, "pattern=none");
      const answer = await socket.ask(example(name));
      const [good = ""] = namesOf(document.operations[name]?.reply?.messages);
      expect(kindsOf(answer)).toEqual([good]);
      expect(Object.keys(answer)).toEqual(Object.keys(example(good)));
      expect(answer["ref"]).toBe(example(name)["ref"]);
    },
  );

  test.each([
    '{"type":"publish"}',
    '{"type":"publish","topic":"a..b"}',
    '{"type":"publish","topic":"a","source":1}',
    '{"type":"subscribe","pattern":"["}',
    '{"type":"ping","reff":1}',
    '{"type":"shout"}',
    "not JSON",
  ])("the answer to %s", async (frame) => {
    using socket = await TestSocket.open(service.url);
    expect(kindsOf(await socket.ask(frame))).toEqual(["refused"]);
  });

  test("the response to a publish without a topic is the example of a rejection", async () => {
    using socket = await TestSocket.open(service.url);
    const { ref, ...refused } = example("refused");
    expect(await socket.ask({ type: "publish", ref })).toEqual({ ...refused, ref });
  });

  test("a gap, events and the end of the replay", async () => {
    await publishMany(service.url, Array(10).fill({ topic: "a.b", data: { total: 25 }, source: "shop" }));
    await service.bus.prune();
    const [newest] = await history(service.url, "last=1");
    using socket = await TestSocket.open(service.url, "since=1");
    const kinds = ["gap", "event", "event", "event", "caughtUp"];
    for (const kind of kinds) {
      const frame = await socket.nextJson();
      expect(kindsOf(frame)).toEqual([kind]);
      expect(Object.keys(frame)).toEqual(Object.keys(example(kind)));
      if (kind === "caughtUp") expect(frame).toMatchObject({ id: newest?.id ?? 0 });
    }
  });
});
