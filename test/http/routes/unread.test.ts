import { describe, expect, test } from "bun:test";
import { Waiting } from "../../../src/http/limits/waiting.ts";
import { pulledBody } from "../../../src/http/response/pulled-body.ts";
import { Bus } from "../../../src/index.ts";
import { serve } from "../../helpers/edge.ts";
import { exchange, expectOk, expectProblem, requestText } from "../../helpers/http.ts";
import { RawSocket } from "../../helpers/raw-socket.ts";

const LINES = { headers: { Accept: "application/x-ndjson" } };

/** A bus with this many events, and its edge. `waiting` is what its readers have not read. */
async function setUp({ events, characters, maxBytes }: { events: number; characters: number; maxBytes?: number }) {
  // Nothing is pruned before a test says so.
  const bus = Bus.open(":memory:", { maxHistory: 1 });
  const waiting = new Waiting(maxBytes);
  const server = serve(bus, { waiting });
  const data = "x".repeat(characters);
  for (let id = 1; id <= events; id++) await bus.publish("a", data);
  const history = `${server.url}/api/events/history`;
  const stop = async () => {
    await server.stop();
    await bus.stop();
  };
  return { bus, waiting, history, url: server.url, [Symbol.asyncDispose]: stop };
}

const until = async (isSo: () => boolean) => {
  while (!isSo()) await Bun.sleep(1);
};
const ids = (events: readonly { id: number }[]) => events.map(({ id }) => id);
const downFrom = (head: number) => Array.from({ length: head }, (_, index) => head - index);

describe("a body that is pulled", () => {
  async function* letters() {
    yield "a";
    yield "bc";
  }

  test("is made as it is read, and counts until it is", async () => {
    const waiting = new Waiting();
    const reader = pulledBody(letters(), waiting, 10).getReader();
    expect(waiting.bytes).toBe(10);
    await reader.read();
    expect(waiting.bytes).toBe(11);
    await reader.read();
    expect(waiting.bytes).toBe(12);
    expect((await reader.read()).done).toBe(true);
    expect(waiting.bytes).toBe(0);
  });

  test("counts no longer when its reader leaves, between pieces or in the middle of one", async () => {
    const waiting = new Waiting();
    const left = pulledBody(letters(), waiting, 10);
    await left.cancel();
    const slow = async function* () {
      await Bun.sleep(1);
      yield "a";
    };
    const reader = pulledBody(slow(), waiting, 10).getReader();
    const reading = reader.read();
    await reader.cancel();
    await reading;
    await Bun.sleep(2);
    expect(waiting.bytes).toBe(0);
  });

  test("counts no longer, and fails, when a piece cannot be made", async () => {
    const waiting = new Waiting();
    const broken = async function* () {
      yield "a";
      throw new Error("gone");
    };
    const text = new Response(pulledBody(broken(), waiting, 10)).text();
    expect(await text.catch((error: Error) => error.message)).toBe("gone");
    expect(waiting.bytes).toBe(0);
  });
});

describe("a long answer", () => {
  for (const [what, characters] of [
    ["small enough to be held", 1_000],
    ["too large to be held", 10_000],
  ] as const) {
    test(`${what} comes whole, and nothing waits for it afterwards`, async () => {
      await using one = await setUp({ events: 200, characters });
      const response = await fetch(`${one.history}?last=199`);
      expect(response.headers.get("link")).toContain("before=2");
      expect(ids(await expectOk(response))).toEqual(downFrom(200).slice(0, -1));
      expect(one.waiting.bytes).toBe(0);
    });

    test(`${what} counts only as long as its client is there`, async () => {
      await using one = await setUp({ events: 200, characters });
      await exchange(one.url, requestText("HEAD /api/events/history?last=200"));
      expect(one.waiting.bytes).toBe(0);
      const leaving = new AbortController();
      await fetch(`${one.history}?last=200`, leaving).then(() => leaving.abort());
      await until(() => one.waiting.bytes === 0);
    });
  }

  test("as lines leaves nothing behind", async () => {
    await using one = await setUp({ events: 200, characters: 10_000 });
    const text = await (await fetch(`${one.history}?last=200`, LINES)).text();
    expect(
      ids(
        text
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line)),
      ),
    ).toEqual(downFrom(200));
    expect(one.waiting.bytes).toBe(0);
  });

  test("of topics leaves nothing behind", async () => {
    await using one = await setUp({ events: 0, characters: 0 });
    const topics = Array.from({ length: 3000 }, (_, index) => `topic.${String(index).padStart(5, "0")}`);
    await Promise.all(topics.map((topic) => one.bus.publish(topic, null)));
    const found = await expectOk<{ topic: string }[]>(await fetch(`${one.url}/api/topics?limit=3000`));
    expect(found.map(({ topic }) => topic)).toEqual(topics);
    expect(one.waiting.bytes).toBe(0);
  });
});

describe("an answer that is not read", () => {
  /** More than all kernels on the way take. */
  const LARGE = { events: 100, characters: 1_000_000 };

  for (const accept of ["application/json", "application/x-ndjson"]) {
    test(`as ${accept} holds one piece of it, until its client leaves`, async () => {
      await using one = await setUp(LARGE);
      using socket = unread(one.url, accept);
      await until(() => one.waiting.bytes > 0);
      // When the figure no longer changes, the kernel has taken all that it takes.
      await settled(() => one.waiting.bytes);
      expect(one.waiting.bytes).toBeLessThan(3 * LARGE.characters);
      socket.terminate();
      await until(() => one.waiting.bytes === 0);
    });
  }

  test("oldest first, disconnects its client when retention removes events in its middle", async () => {
    await using one = await setUp(LARGE);
    const received: Buffer[] = [];
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    using socket = unread(one.url, "application/json", (bytes) => received.push(bytes), resolve, "&after=0");
    await until(() => one.waiting.bytes > 0);
    await settled(() => one.waiting.bytes);
    expect(await one.bus.prune()).toBe(LARGE.events - 1);
    socket.resume();
    await closed;
    expect(received.length).toBeGreaterThan(0);
    expect(isWhole(received)).toBe(false);
  });

  test("newest first, ends where retention has removed the rest", async () => {
    await using one = await setUp(LARGE);
    const received: Buffer[] = [];
    using socket = unread(one.url, "application/json", (bytes) => received.push(bytes));
    await until(() => one.waiting.bytes > 0);
    await settled(() => one.waiting.bytes);
    expect(await one.bus.prune()).toBe(LARGE.events - 1);
    socket.resume();
    await until(() => isWhole(received));
  });
});

describe("when as much is waiting as may wait", () => {
  test("long answers are rejected for the time being, short ones are not", async () => {
    await using one = await setUp({ events: 100, characters: 10_000, maxBytes: 1_000_000 });
    one.waiting.reserve(990_000);
    for (const query of [`${one.history}?last=100`, `${one.history}?last=10`]) {
      const response = await fetch(query);
      expect(response.headers.get("retry-after")).toBe("1");
      expect((await expectProblem(response, "unavailable")).limit).toBe(1_000_000);
    }
    await expectProblem(await fetch(one.history, LINES), "unavailable");
    expect(await expectOk<unknown[]>(await fetch(`${one.history}?last=5`))).toHaveLength(5);
    one.waiting.release(990_000);
    expect(await expectOk<unknown[]>(await fetch(`${one.history}?last=100`))).toHaveLength(100);
  });
});

/** Whether the chunk that ends a body has come. */
function isWhole(received: readonly Buffer[]): boolean {
  return received.at(-1)?.toString("latin1").endsWith("0\r\n\r\n") ?? false;
}

function unread(
  url: string,
  accept: string,
  body: (bytes: Buffer) => void = () => {},
  closed = () => {},
  query = "",
): RawSocket {
  const path = `/api/events/history?last=10000${query}`;
  const socket = new RawSocket(url, path, [`Accept: ${accept}`], { head: () => {}, body, closed });
  socket.pause();
  return socket;
}

/** Resolves when a value has not changed for a tenth of a second. */
async function settled(read: () => number): Promise<void> {
  for (let last = Number.NaN; last !== read(); await Bun.sleep(100)) last = read();
}
