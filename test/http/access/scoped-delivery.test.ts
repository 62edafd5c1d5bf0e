import { describe, expect, spyOn, test } from "bun:test";
import type { TokenBook } from "../../../src/bus/access/tokens.ts";
import { openEdge } from "../../helpers/edge.ts";
import { permissions } from "../../helpers/permissions.ts";
import { StreamSubscriber } from "../../helpers/raw-stream.ts";
import { TestSocket } from "../../helpers/socket.ts";

const TOPICS = ["a.x", "a.y", "b.x", "b.y", "c"];
/** Written out, so that the test trusts no matcher. */
const SCOPES: Readonly<Record<string, readonly string[]>> = {
  "a.*": ["a.x", "a.y"],
  "*.x": ["a.x", "b.x"],
  "{a.y,c}": ["a.y", "c"],
  none: [],
};
const ASKED: Readonly<Record<string, readonly string[]>> = {
  "*": TOPICS,
  "*.x": ["a.x", "b.x"],
  "[b-c]*": ["b.x", "b.y", "c"],
};
/** So little may wait that every subscriber falls behind and catches up all the time. */
const tuning = { pageEvents: 2, maxWaitingBytes: 0, checkCharacters: 1 };

async function secretOf(tokens: TokenBook, name: string, scope: string): Promise<string> {
  if (tokens.isEmpty) await tokens.create({ ...permissions, name: "root", isAdmin: true });
  return (await tokens.create({ ...permissions, name, subscribe: [scope] })).secret;
}

describe("a subscriber of limited scope", () => {
  test.each(Object.keys(SCOPES))("that may see %s gets what it requests of that, once, in order", async (scope) => {
    await using edge = openEdge({ tuning });
    const secret = await secretOf(edge.tokens, "reader", `{${scope},end}`);
    for (let index = 0; index < 100; index++) await edge.bus.publish(TOPICS[index % 5] ?? "", index);
    const wishes = Object.keys(ASKED).flatMap((asked) =>
      ["&since=all", "&last=7", ""].map((start) => ({ asked, start })),
    );
    const sockets = await Promise.all(
      wishes.map(({ asked, start }) => {
        const query = new URLSearchParams({ pattern: asked, access_token: secret });
        return TestSocket.open(edge.url, `${query}&pattern=end${start}`);
      }),
    );
    for (let index = 100; index < 200; index++) void edge.bus.publish(TOPICS[index % 5] ?? "", index);
    await edge.bus.publish("end", 0);
    for (const [index, socket] of sockets.entries()) {
      const { asked = "", start = "" } = wishes[index] ?? {};
      const seen = (topic: string) => SCOPES[scope]?.includes(topic) && ASKED[asked]?.includes(topic);
      const old = Array.from({ length: 100 }, (_, at) => at).filter((at) => seen(TOPICS[at % 5] ?? ""));
      const replayed = start === "" ? [] : start === "&last=7" ? old.slice(-7) : old;
      const live = Array.from({ length: 100 }, (_, at) => 100 + at).filter((at) => seen(TOPICS[at % 5] ?? ""));
      expect({ asked, start, got: await until(socket) }).toEqual({ asked, start, got: [...replayed, ...live] });
      socket.close();
    }
  });

  test("gets no id from a stream that is before an earlier one, if retention removes the events in its scope", async () => {
    await using edge = openEdge({ maxHistory: 1, tuning: { keepAliveMs: 1 } });
    const secret = await secretOf(edge.tokens, "reader", "a.x");
    using stream = await StreamSubscriber.open(edge.url, { query: `pattern=b.*&access_token=${secret}` });
    const ids: number[] = [];
    const listenUntil = async (isHeard: () => boolean) => {
      while (!isHeard()) ids.push(Number(/id: (\d+)/.exec((await stream.nextPart()).text)?.[1]));
    };
    await edge.bus.publish("a.x", 0);
    await listenUntil(() => ids.at(-1) === 1);
    await edge.bus.publish("c", 0);
    await edge.bus.prune();
    const heard = ids.length;
    await listenUntil(() => ids.length === heard + 50);
    await edge.bus.publish("a.x", 0);
    await listenUntil(() => ids.at(-1) === 3);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  });

  test("gets no gap from a stream that it passed while it was up to date", async () => {
    await using edge = openEdge({ maxHistory: 1, tuning: { keepAliveMs: 1 } });
    const secret = await secretOf(edge.tokens, "reader", "a.x");
    const query = `access_token=${secret}`;
    await edge.bus.publish("a.x", 0);
    using stream = await StreamSubscriber.open(edge.url, { query });
    await stream.nextPart();
    for (let index = 0; index < 3; index++) await edge.bus.publish("c", index);
    await edge.bus.prune();
    let id = "";
    while (id !== "3") id = /id: (\d+)/.exec((await stream.nextPart()).text)?.[1] ?? "";
    using again = await StreamSubscriber.open(edge.url, { query: `${query}&last_event_id=${id}` });
    expect((await again.next()).text).toContain("caught_up");
  });

  test("shares one delivery with those of equal scope, whatever their token", async () => {
    await using edge = openEdge();
    const added = spyOn(edge.bus, "addInterest");
    const secrets: string[] = [];
    for (const name of ["a", "b", "c"]) secrets.push(await secretOf(edge.tokens, name, "a.*"));
    const other = await secretOf(edge.tokens, "d", "b.*");
    using _a = await TestSocket.open(edge.url, `access_token=${secrets[0]}`);
    using _b = await TestSocket.open(edge.url, `access_token=${secrets[1]}`);
    using _c = await TestSocket.open(edge.url, `access_token=${secrets[2]}`);
    expect(added).toHaveBeenCalledTimes(1);
    using _d = await TestSocket.open(edge.url, `access_token=${other}`);
    expect(added).toHaveBeenCalledTimes(2);
  });
});

/** The data of the events that come before the one that ends them. */
async function until(socket: TestSocket): Promise<number[]> {
  const got: number[] = [];
  for (;;) {
    const message = await socket.nextJson<{ type?: string; topic: string; data: number }>();
    if (message.topic === "end") return got;
    if (message.type === undefined) got.push(message.data);
  }
}
