import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import type { NewToken } from "../../../src/protocol/token.ts";
import { startService, type TestService } from "../../helpers/service.ts";
import { TestSocket } from "../../helpers/socket.ts";
import { TempFolder } from "../../helpers/temp.ts";

/** A bus with visible events `a.x`, and others as the case says; with the secret of a token that may read `a.*`. */
interface World extends AsyncDisposable {
  readonly service: TestService;
  readonly admin: string;
  readonly secret: string;
}

type Hidden = readonly (readonly [topic: string, data: string, source: string])[];

const HIDDEN: readonly Hidden[] = [
  [
    ["b.c", '"x"', "shop"],
    ["b.c", "null", ""],
    ["b.d", "1", "a.x"],
  ],
  [
    ["secret", `"${"y".repeat(200_000)}"`, "someone"],
    ["a", "{}", ""],
    ["b", "[]", "shop"],
  ],
];
const NONE: Hidden = [];

/** Two visible events with the hidden ones between and after them. Times, recognised by form, are not compared. */
async function worldOf(hidden: Hidden, maxHistory = 1000, db?: string): Promise<World> {
  const service = await startService({ maxHistory, ...(db === undefined ? {} : { db }) });
  const made = await make(service, undefined, { name: "root", admin: true, publish: ["*"] });
  const { secret } = await make(service, made.secret, { name: "a", publish: ["a.*"], subscribe: ["a.*"] });
  const admin = made.secret;
  await send(service, admin, "a.x", "1", "");
  for (const [topic, data, source] of hidden.slice(0, 2)) await send(service, admin, topic, data, source);
  await send(service, admin, "a.x", "2", "shop");
  for (const [topic, data, source] of hidden.slice(2)) await send(service, admin, topic, data, source);
  return { service, admin, secret, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

async function make(service: TestService, by: string | undefined, spec: object): Promise<NewToken> {
  const headers: Record<string, string> = by === undefined ? {} : { Authorization: `Bearer ${by}` };
  const answer = await fetch(`${service.url}/api/tokens`, { method: "POST", headers, body: JSON.stringify(spec) });
  return (await answer.json()) as NewToken;
}

function bearer(secret: string): { headers: Record<string, string> } {
  return { headers: { Authorization: `Bearer ${secret}` } };
}

async function send(service: TestService, secret: string, topic: string, data: string, source: string) {
  const headers = { Authorization: `Bearer ${secret}`, "Idempotency-Key": `${topic} ${data.slice(0, 20)}` };
  const body = `{"topic":"${topic}","data":${data},"source":${JSON.stringify(source)}}`;
  const answer = await fetch(`${service.url}/api/events/publish`, { method: "POST", headers, body });
  expect(answer.status).toBe(200);
}

/** Everything in the response except times. */
async function wholeOf(response: Response): Promise<string> {
  const headers = [...response.headers].filter(([name]) => name !== "date").map((header) => header.join(": "));
  return `${response.status}\n${headers.sort().join("\n")}\n\n${withoutTimes(await response.text())}`;
}

function withoutTimes(text: string): string {
  return text.replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"time"');
}

/** What is asked with a token that sees `a.*` only. */
const QUESTIONS = [
  "/api/events/history",
  "/api/events/history?last=1",
  "/api/events/history?last=2&topic=*",
  "/api/events/history?topic=b.c",
  "/api/events/history?topic=b.*&last=1",
  "/api/events/history?source=shop",
  "/api/events/history?after=0",
  "/api/events/history?after=1&last=1",
  "/api/events/history?before=4",
  "/api/events/history?from=2000-01-01T00:00:00Z&last=1",
  "/api/events/2",
  "/api/events/3",
  "/api/events/5",
  "/api/events/6",
  "/api/events/999",
  "/api/topics",
  "/api/topics?pattern=b.c",
  "/api/stats",
  "/api/tokens",
  "/readyz",
] as const;

const REPLAYS = ["since=all", "since=0", "last=1", "since=now", ""];

function ask(world: World, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${world.service.url}${path}`, { headers: { Authorization: `Bearer ${world.secret}`, ...headers } });
}

describe("two buses that differ in nothing but hidden events", () => {
  test("answer every question alike, to the byte", async () => {
    await using one = await worldOf(HIDDEN[0] ?? []);
    await using two = await worldOf(HIDDEN[1] ?? []);
    for (const question of QUESTIONS) {
      const answers = await Promise.all([one, two].map(async (world) => wholeOf(await ask(world, question))));
      expect({ question, answer: answers[0] }).toEqual({ question, answer: answers[1] });
      const lines = { Accept: "application/x-ndjson" };
      const asLines = await Promise.all([one, two].map(async (world) => wholeOf(await ask(world, question, lines))));
      expect(asLines[0]).toBe(asLines[1] ?? "");
    }
  });

  test.each([...REPLAYS, "since=1", "since=1h", "last=9"])("subscribe alike with %j", async (query) => {
    await using one = await worldOf(HIDDEN[0] ?? []);
    await using two = await worldOf(HIDDEN[1] ?? []);
    const [first, second] = await Promise.all([one, two].map((world) => hear(world, query)));
    expect(first).toEqual(second ?? []);
    expect(first?.join("")).not.toMatch(/"topic":"[^a]/);
  });

  test.each(["/api/events/stream?since=99", "/api/events/stream?since=1796022000", "/api/events/history?after=99"])(
    "answer %s alike, an id that was never given",
    async (question) => {
      await using one = await worldOf(HIDDEN[0] ?? []);
      await using none = await worldOf(NONE);
      const [first, second] = await Promise.all([one, none].map(async (world) => wholeOf(await ask(world, question))));
      expect(first).toBe(second ?? "");
    },
  );

  test("name to a client that resumes from such an id only events within its scope", async () => {
    await using one = await worldOf(HIDDEN[0] ?? []);
    await using none = await worldOf(NONE);
    const told = async (world: World) => {
      const reader = readerOf(await ask(world, "/api/events/stream?last_event_id=99"));
      const text = await until(() => textOf(reader), '"caught_up"');
      await reader.cancel();
      return text;
    };
    expect(await told(one)).toContain('{"type":"gap","after":99,"next":5}');
    expect(await told(none)).toContain('{"type":"gap","after":99,"next":3}');
  });

  test("publish alike, also under keys that others used", async () => {
    await using one = await worldOf(HIDDEN[0] ?? []);
    await using two = await worldOf(HIDDEN[1] ?? []);
    const answers = await Promise.all(
      [one, two].map(async ({ service, secret }) => {
        const headers = { Authorization: `Bearer ${secret}`, "Idempotency-Key": 'b.c "x"' };
        const init = { method: "POST", headers, body: '{"topic":"a.z"}' };
        const foreign = { ...init, body: '{"topic":"b.c"}' };
        const publishing = `${service.url}/api/events/publish`;
        return [await wholeOf(await fetch(publishing, foreign)), await wholeOf(await fetch(publishing, init))];
      }),
    );
    expect(answers[0]).toEqual(answers[1] ?? []);
  });
});

describe("with hidden events and with none", () => {
  test("an event that may not be seen is answered as an id that was never given, and as one that was pruned", async () => {
    await using world = await worldOf(HIDDEN[0] ?? [], 1);
    const hidden = await wholeOf(await ask(world, "/api/events/2"));
    expect(hidden).toStartWith("404");
    expect(await wholeOf(await ask(world, "/api/events/123456"))).toBe(hidden);
    expect(await world.service.bus.prune()).toBe(4);
    expect(await wholeOf(await ask(world, "/api/events/3"))).toBe(hidden);
  });

  test("nothing but the ids of visible events differs", async () => {
    await using some = await worldOf(HIDDEN[0] ?? []);
    await using none = await worldOf(NONE);
    for (const question of QUESTIONS.filter((one) => !/\/\d+$|after=|before=/.test(one))) {
      const [one, two] = await Promise.all([some, none].map(async (world) => wholeOf(await ask(world, question))));
      expect(withoutIds(one ?? "")).toBe(two ?? "");
    }
  });

  test.each(REPLAYS)("nothing but these ids differs for a subscriber with %j", async (query) => {
    await using some = await worldOf(HIDDEN[0] ?? []);
    await using none = await worldOf(NONE);
    const [one, two] = await Promise.all([some, none].map((world) => hear(world, query)));
    expect(one?.map(withoutIds)).toEqual(two ?? []);
  });
});

describe("damaged events", () => {
  test("are named to callers that may read them, and to all when their topic is unknown", async () => {
    using folder = new TempFolder();
    const db = folder.file("history.db");
    const { admin, secret, service: first } = await worldOf(HIDDEN[0] ?? [], 1000, db);
    await send(first, admin, "a.x", "6", "");
    await first.stop();
    const [hidden, unreadable, seen] = [2, 3, 6];
    const file = new Database(db);
    file.run("update event set data = data || ' ' where id in (?, ?)", [hidden, seen]);
    file.run("update event set series_id = series_id + 1 where id = ?", [unreadable]);
    file.close();
    await using service = await startService({ db });
    const named = async (by: string) =>
      (await fetch(`${service.url}/api/events/history`, bearer(by))).headers.get("eventbus-damaged");
    expect(await named(secret)).toBe(`${unreadable},${seen}`);
    using socket = await TestSocket.open(service.url, `since=all&access_token=${secret}`);
    const frames = await Promise.all([1, 2, 3, 4, 5].map(() => socket.nextJson()));
    expect(frames).toMatchObject([
      { id: 1 },
      { type: "gap", after: unreadable - 1, next: unreadable + 1 },
      { id: 4 },
      { type: "gap", after: seen - 1, next: seen + 1 },
      { type: "caught_up", id: seen },
    ]);
    const asked = (id: number) => fetch(`${service.url}/api/events/${id}`, bearer(secret));
    const never = await wholeOf(await asked(999));
    for (const id of [hidden, unreadable]) expect(await wholeOf(await asked(id))).toBe(never);
    expect((await asked(seen)).status).toBe(500);
    service.errors.length = 0;
  });
});

describe("a replay from which retention has removed everything that may be seen", () => {
  test("reports the gap, and ends where the gap does", async () => {
    await using world = await worldOf(HIDDEN[0] ?? [], 1);
    await world.service.bus.prune();
    using socket = await TestSocket.open(world.service.url, `since=1&access_token=${world.secret}`);
    expect(await socket.nextJson()).toEqual({ type: "gap", after: 1, next: 5 });
    expect(await socket.nextJson()).toEqual({ type: "caught_up", id: 4 });
  });

  test("sends no id from before the gap, wherever it begins", async () => {
    await using world = await worldOf(HIDDEN[0] ?? [], 1);
    await world.service.bus.prune();
    for (const since of ["4", "now", "all"]) {
      using socket = await TestSocket.open(world.service.url, `since=${since}&access_token=${world.secret}`);
      expect(await socket.nextJson()).toEqual({ type: "caught_up", id: 4 });
    }
  });
});

/** Gives the second visible event the id that it would have if there were no hidden ones. */
function withoutIds(text: string): string {
  return text.replaceAll(/("id":|id: |before=)4\b/g, "$12");
}

/** What comes, by WebSocket and by both kinds of streams, until the replay has ended and a marker has come after it. */
async function hear(world: World, query: string): Promise<string[]> {
  using socket = await TestSocket.open(world.service.url, `${query}&access_token=${world.secret}`);
  const path = `/api/events/stream?${query}`;
  const streams = [await ask(world, path), await ask(world, path, { Accept: "application/x-ndjson" })];
  const readers = streams.map((stream) => readerOf(stream));
  const sources = [() => socket.next(), ...readers.map((reader) => () => textOf(reader))];
  const replays = query === "" ? [] : await Promise.all(sources.map((next) => until(next, '"caught_up"')));
  const marker = "the marker";
  await send(world.service, world.secret, "a.marker", `"${marker}"`, "");
  const rest = await Promise.all(sources.map((next) => until(next, marker)));
  await Promise.all(readers.map((reader) => reader.cancel()));
  const withoutMarker = rest.map((text) => text.replace(/^(id: \d+\ndata: )?\{"id":\d+,"topic":"a.marker".*$/m, ""));
  return [...replays, ...withoutMarker].map(withoutTimes);
}

async function until(next: () => Promise<string>, what: string): Promise<string> {
  let text = "";
  while (!text.includes(what)) text += `${await next()}`;
  return text;
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

function readerOf({ body }: Response): Reader {
  if (body === null) throw new Error("the stream has no body");
  return body.getReader();
}

async function textOf(reader: Reader): Promise<string> {
  const { value, done } = await reader.read();
  if (done) throw new Error("the stream has ended");
  return Buffer.from(value).toString();
}
