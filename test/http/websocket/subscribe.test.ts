import { describe, expect, spyOn, test } from "bun:test";
import { SocketChannel } from "../../../src/http/websocket/socket-channel.ts";
import { type Edge, openEdge } from "../../helpers/edge.ts";
import { exchange, expectRawProblem, publish, publishMany, requestText } from "../../helpers/http.ts";
import { publishCounted, range } from "../../helpers/memory-bus.ts";
import { HANDSHAKE, RawSubscriber } from "../../helpers/raw-web-socket.ts";
import { TestSocket } from "../../helpers/socket.ts";

/** The next frames, this many: ids for events, the whole message for the rest. */
async function framesOf(socket: TestSocket, count: number): Promise<unknown[]> {
  const frames: unknown[] = [];
  while (frames.length < count) {
    const frame = await socket.nextJson();
    frames.push("type" in frame ? frame : frame["id"]);
  }
  return frames;
}

/** Resolves when this many sockets are live on the server. */
async function untilLive(edge: Edge, count: number): Promise<void> {
  while (edge.server.subscribers.websocket.live !== count) await new Promise((resolve) => setImmediate(resolve));
}

describe("a WebSocket", () => {
  test("gets every event from now on, as its publisher received it, and nothing else", async () => {
    await using edge = openEdge();
    await publish(edge.url, "a", "before");
    using socket = await TestSocket.open(edge.url);
    const answer = await fetch(`${edge.url}/api/events/publish/a.b?source=s`, { method: "POST", body: '{"n":1.10}' });
    expect(await socket.next()).toBe(await answer.text());
  });

  test("gets what matches its patterns, and once what matches several", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=a.*&pattern=*.x&pattern=%7Ba,c%7D.x");
    for (const topic of ["a.x", "b.y", "b.x", "c.x", "a.y"]) await publish(edge.url, topic);
    expect(await framesOf(socket, 4)).toEqual([1, 3, 4, 5]);
  });

  test.each([
    ["since=3", [4, 5]],
    ["since=0", range(1, 5)],
    ["since=5", []],
    ["since=all", range(1, 5)],
    ["since=now", []],
    ["since=1h", range(1, 5)],
    ["since=0s", []],
    ["since=2000-01-01T00:00:00Z", range(1, 5)],
    ["since=2000-01-01T00:00:00%2B01:00", range(1, 5)],
    ["since=2999-01-01T00:00:00Z", []],
    ["last=2", [4, 5]],
    ["last=10000", range(1, 5)],
    ["last=1&pattern=odd", [5]],
    ["since=all&pattern=even", [2, 4]],
  ])("with %s gets the replay, caught_up, and then what comes", async (query, replayed) => {
    await using edge = openEdge();
    await publishMany(
      edge.url,
      range(1, 5).map((n) => ({ topic: n % 2 === 1 ? "odd" : "even" })),
    );
    await new Promise((resolve) => setTimeout(resolve, 2));
    using socket = await TestSocket.open(edge.url, query);
    expect(await framesOf(socket, replayed.length + 1)).toEqual([...replayed, { type: "caught_up", id: 5 }]);
    await publishMany(edge.url, [{ topic: "even" }, { topic: "odd" }]);
    expect(await framesOf(socket, 1)).toEqual([query.endsWith("odd") ? 7 : 6]);
  });

  test("gets a gap in the place of what retention has removed", async () => {
    await using edge = openEdge({ maxHistory: 2 });
    await publishCounted(edge.bus, 10);
    await edge.bus.prune();
    using socket = await TestSocket.open(edge.url, "since=3");
    expect(await framesOf(socket, 4)).toEqual([
      { type: "gap", after: 3, next: 9 },
      9,
      10,
      { type: "caught_up", id: 10 },
    ]);
  });

  test("loses and repeats nothing when it joins while events are published", async () => {
    await using edge = openEdge({ tuning: { pageEvents: 7 } });
    let isDone = false;
    const publisher = (async () => {
      while (!isDone) await publishCounted(edge.bus, 10);
    })();
    for (const _ of range(1, 20)) {
      using socket = await TestSocket.open(edge.url, "since=0");
      const ids = (await framesOf(socket, 500)).filter((frame) => typeof frame === "number");
      expect(ids).toEqual(range(1, ids.length));
    }
    isDone = true;
    await publisher;
  });

  test("gets 1012 when the server stops, after all its waiting output", async () => {
    await using edge = openEdge();
    await publishCounted(edge.bus, 3);
    using socket = await TestSocket.open(edge.url, "since=0");
    const frames = framesOf(socket, 4);
    // What waits was made by then: a server that stops makes nothing more.
    await untilLive(edge, 1);
    await edge.server.stop();
    expect(await frames).toHaveLength(4);
    expect((await socket.closed).code).toBe(1012);
  });

  test("gets 1012 when the server stops, even if it is slow and has much output waiting", async () => {
    await using edge = openEdge();
    using slow = await RawSubscriber.open(edge.url);
    slow.pause();
    const padding = "x".repeat(1_000_000);
    // Until the kernels' buffers are full.
    while (edge.server.subscribers.websocket.live === 1) await edge.bus.publish("a", padding);
    const stopped = edge.server.stop();
    slow.resume();
    await stopped;
    expect((await slow.nextJson())["id"]).toBe(1);
    expect(await slow.closed).toBe(1012);
  });

  test("gets its answers before the server stops", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=none");
    const append = edge.bus.append.bind(edge.bus);
    const received = new Promise<void>((resolve) => {
      edge.bus.append = (...drafts) => {
        resolve();
        return append(...drafts);
      };
    });
    socket.send({ type: "publish", ref: 1, topic: "a" });
    await received;
    await edge.server.stop();
    expect(await socket.nextJson()).toMatchObject({ type: "ack", ref: 1 });
    expect((await socket.closed).code).toBe(1012);
  });

  test("costs nothing after it has left", async () => {
    await using edge = openEdge({ maxConnections: 1 });
    for (const isRude of [false, true, false, true]) {
      using socket = await TestSocket.open(edge.url, "pattern=a.*");
      if (isRude) socket[Symbol.dispose]();
      else socket.close();
      while (edge.subscribers > 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await publishCounted(edge.bus, 3, "a.b");
  });
});

describe("a WebSocket is rejected before the upgrade", () => {
  /** The answer to a handshake that asks for this. */
  const ask = (edge: Edge, query: string, headers = HANDSHAKE) =>
    exchange(edge.url, requestText(`GET /api/events/subscribe?${query}`, headers));

  test.each([
    ["pattern=%5B", "pattern_invalid"],
    ["pattern=", "pattern_invalid"],
    ["since=yesterday", "parameter_invalid"],
    ["since=1&since=2", "parameter_invalid"],
    ["since=1&last=2", "parameter_invalid"],
    ["last=0", "parameter_invalid"],
    ["last=10001", "parameter_invalid"],
    ["last=abc", "parameter_invalid"],
    ["patern=a", "parameter_unknown"],
    ["last_event_id=4", "parameter_unknown"],
    [
      range(1, 65)
        .map((n) => `pattern=p${n}`)
        .join("&"),
      "parameter_invalid",
    ],
  ] as const)("%s: %s", async (query, code) => {
    await using edge = openEdge();
    expectRawProblem(await ask(edge, query), code);
    expect(edge.subscribers).toBe(0);
  });

  test("when it is no upgrade", async () => {
    await using edge = openEdge();
    expectRawProblem(await ask(edge, "", []), "upgrade_required");
    expectRawProblem(await ask(edge, "", ["Connection: Upgrade", "Upgrade: h2c"]), "upgrade_required");
  });

  test("when there are as many subscribers as may be, until one has left", async () => {
    await using edge = openEdge({ maxConnections: 2 });
    using _first = await TestSocket.open(edge.url);
    const second = await TestSocket.open(edge.url);
    expectRawProblem(await ask(edge, ""), "too_many_connections");
    second.close();
    while (edge.subscribers > 1) await new Promise((resolve) => setImmediate(resolve));
    using third = await TestSocket.open(edge.url);
    await publish(edge.url, "a");
    expect(await framesOf(third, 1)).toEqual([1]);
  });

  test("with 64 patterns it is not", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(
      edge.url,
      range(1, 64)
        .map((n) => `pattern=p${n}`)
        .join("&"),
    );
    await publish(edge.url, "p64");
    expect(await framesOf(socket, 1)).toEqual([1]);
  });
});

describe("changing patterns", () => {
  test("neither repeats nor skips an event of a pattern that stays", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=stays");
    const published = Promise.all(
      range(1, 300).map(async (n) => {
        if (n % 10 === 0) socket.send({ type: n % 20 === 0 ? "unsubscribe" : "subscribe", pattern: "comes.and.goes" });
        await publish(edge.url, "stays", n);
      }),
    );
    const ids: unknown[] = [];
    while (ids.length < 300) {
      const frame = await socket.nextJson();
      if (frame["topic"] === "stays") ids.push(frame["id"]);
    }
    await published;
    expect(ids).toEqual(range(1, 300));
  });

  test("brings events of a new pattern from then on, also to a reader that is behind", async () => {
    await using edge = openEdge({ tuning: { pageEvents: 1 } });
    for (const n of range(1, 20)) await edge.bus.publish(n % 2 === 1 ? "a" : "b", n);
    using socket = await TestSocket.open(edge.url, "pattern=a&since=0");
    socket.send({ type: "subscribe", pattern: "b" });
    const early = (await framesOf(socket, 12)).filter((frame) => typeof frame === "number");
    expect(early).toEqual(range(1, 20).filter((n) => n % 2 === 1));
    await edge.bus.publish("b", null);
    await edge.bus.publish("a", null);
    expect(await framesOf(socket, 2)).toEqual([21, 22]);
  });

  test("ends events of a pattern with the answer, though the reader is behind", async () => {
    await using edge = openEdge({ tuning: { pageEvents: 1 } });
    for (const n of range(1, 100)) await edge.bus.publish(n % 2 === 1 ? "a" : "b", n);
    using socket = await TestSocket.open(edge.url, "pattern=a&pattern=b&since=0");
    socket.send({ type: "unsubscribe", pattern: "b" });
    const frames: unknown[] = [];
    const has = (type: string) => frames.some((frame) => JSON.stringify(frame).includes(type));
    while (!has("ack") || !has("caught_up")) frames.push(...(await framesOf(socket, 1)));
    const answer = frames.findIndex((frame) => JSON.stringify(frame) === '{"type":"ack"}');
    const after = frames.slice(answer).filter((frame) => typeof frame === "number");
    expect(after.filter((id) => Number(id) % 2 === 0)).toEqual([]);
    expect(frames.filter((id) => typeof id === "number" && id % 2 === 1)).toEqual(range(1, 100).filter((n) => n % 2));
  });

  test("back and forth brings the events from the last time on", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=a");
    await socket.ask({ type: "unsubscribe", pattern: "a" });
    await publish(edge.url, "a", "unseen");
    await socket.ask({ type: "subscribe", pattern: "a" });
    await publish(edge.url, "a", "seen");
    expect(await framesOf(socket, 1)).toEqual([2]);
  });
});

describe("native publish", () => {
  test("is used once for all sockets that want the same, in whatever order they named it", async () => {
    await using edge = openEdge();
    const published = spyOn(SocketChannel.prototype, "deliver");
    try {
      using _first = await TestSocket.open(edge.url, "pattern=a&pattern=b");
      using _second = await TestSocket.open(edge.url, "pattern=b&pattern=a&pattern=a");
      await untilLive(edge, 2);
      await edge.bus.publish("b", null);
      expect(published).toHaveBeenCalledTimes(1);
      using _third = await TestSocket.open(edge.url, "pattern=b");
      await untilLive(edge, 3);
      await edge.bus.publish("b", null);
      expect(published).toHaveBeenCalledTimes(3);
    } finally {
      published.mockRestore();
    }
  });

  test("serves sockets that are up to date", async () => {
    await using edge = openEdge();
    using _idle = await TestSocket.open(edge.url, "pattern=a.*&since=0");
    await untilLive(edge, 1);
    await publishCounted(edge.bus, 1000, "a.b");
    expect(edge.server.subscribers.websocket).toEqual({ live: 1, replay: 0 });
  });
});
