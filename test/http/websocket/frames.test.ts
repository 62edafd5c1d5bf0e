import { describe, expect, test } from "bun:test";
import { openEdge } from "../../helpers/edge.ts";
import { MARKER } from "../../helpers/http.ts";
import { range } from "../../helpers/memory-bus.ts";
import { RawSubscriber } from "../../helpers/raw-web-socket.ts";
import { TestSocket } from "../../helpers/socket.ts";

const MAX_FRAME_BYTES = 1024 * 1024;

/** A frame that publishes, padded to exactly this size. */
function frameOf(bytes: number): string {
  const [head, tail] = ['{"type":"publish","topic":"a","data":"', '"}'];
  return head + "x".repeat(bytes - head.length - tail.length) + tail;
}

describe("a publish frame", () => {
  test("is answered with the whole event, which subscribers get too", async () => {
    await using edge = openEdge();
    using publisher = await TestSocket.open(edge.url, "pattern=none");
    using subscriber = await TestSocket.open(edge.url);
    publisher.send('{"type":"publish","ref":1,"topic":"a","data":{"b":1.10,"a":1e400,"b":2},"source":"s"}');
    const event = await subscriber.next();
    expect(event).toContain('"data":{"b":1.10,"a":1e400,"b":2},"source":"s"');
    expect(await publisher.next()).toBe(`{"type":"ack","ref":1,"event":${event}}`);
  });

  test("needs neither ref, nor data, nor source", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=none");
    const answer = await socket.ask<{ event: object }>({ type: "publish", topic: "a" });
    expect(answer).toMatchObject({ type: "ack", event: { id: 1, topic: "a", data: null, source: "" } });
    expect(answer).not.toHaveProperty("ref");
  });

  test("may have its members in any order", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=none");
    expect(await socket.ask('{"data":[1],"topic":"a","ref":"x","type":"publish"}')).toMatchObject({
      type: "ack",
      ref: "x",
      event: { data: [1] },
    });
  });

  test("of 1 MiB is taken, a larger one closes the connection with 1009", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=none");
    expect(await socket.ask(frameOf(MAX_FRAME_BYTES))).toMatchObject({ type: "ack" });
    socket.send(frameOf(MAX_FRAME_BYTES + 1));
    expect((await socket.closed).code).toBe(1009);
  });
});

describe("the ref", () => {
  test.each(["1", "-1.50", "1e3", '"a"', '""', '"ü\\u0000\\n"', "12345678901234567890"])(
    "%s comes back as it was sent",
    async (ref) => {
      await using edge = openEdge();
      using socket = await TestSocket.open(edge.url, "pattern=none");
      socket.send(`{"type":"ping","ref":${ref}}`);
      expect(await socket.next()).toBe(`{"type":"pong","ref":${ref}}`);
      socket.send(`{"type":"nonsense","ref":${ref}}`);
      expect(await socket.next()).toStartWith(`{"type":"error","ref":${ref},"code":"parameter_invalid"`);
    },
  );

  test.each(["null", "true", "{}", "[1]", `"${"x".repeat(300)}"`])("%s is rejected", async (ref) => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=none");
    const answer = await socket.ask(`{"type":"ping","ref":${ref}}`);
    expect(answer).toMatchObject({ type: "error", code: "parameter_invalid", parameter: "ref" });
    expect(answer).not.toHaveProperty("ref");
  });
});

describe("a frame that is wrong", () => {
  test.each<[string, string, string]>([
    ["no JSON", MARKER, "json_invalid"],
    ["half of it", '{"type":"ping"', "json_invalid"],
    ["nothing", "", "json_invalid"],
    ["no object", `["${MARKER}"]`, "json_invalid"],
    ["no type", "{}", "parameter_invalid"],
    ["an unknown type", `{"type":"${MARKER}"}`, "parameter_invalid"],
    ["a type from the prototype", '{"type":"toString"}', "parameter_invalid"],
    ["another from there", '{"type":"__proto__"}', "parameter_invalid"],
    ["a type that is no string", '{"type":1}', "parameter_invalid"],
    ["one member too many", '{"type":"ping","topic":"a"}', "parameter_unknown"],
    ["a member twice", '{"type":"ping","type":"ping"}', "parameter_invalid"],
    ["no topic", '{"type":"publish","data":1}', "topic_invalid"],
    ["a bad topic", `{"type":"publish","topic":"${MARKER} *"}`, "topic_invalid"],
    ["a bad source", '{"type":"publish","topic":"a","source":1}', "parameter_invalid"],
    ["no pattern", '{"type":"subscribe"}', "pattern_invalid"],
    ["a bad pattern", `{"type":"subscribe","pattern":"[${MARKER}"}`, "pattern_invalid"],
    ["a bad pattern to leave", '{"type":"unsubscribe","pattern":"["}', "pattern_invalid"],
  ])("%s: is answered with what is wrong, and the connection stays", async (_, frame, code) => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url);
    const answer = await socket.ask<{ type: string; code: string; detail: string }>(frame);
    expect(answer).toMatchObject({ type: "error", code });
    expect(answer.detail.length).toBeGreaterThan(10);
    expect(JSON.stringify(answer)).not.toContain(MARKER);
    expect(await socket.ask({ type: "ping", ref: 9 })).toEqual({ type: "pong", ref: 9 });
    expect(edge.bus.head).toBe(0);
  });

  test("binary: the same", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url);
    const frame = new TextEncoder().encode('{"type":"ping","ref":1}');
    expect(await socket.ask(frame)).toMatchObject({ type: "error", code: "json_invalid" });
    expect(await socket.ask({ type: "ping" })).toEqual({ type: "pong" });
  });
});

describe("subscribe and unsubscribe", () => {
  test("are answered, and may be sent twice", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=none");
    for (const type of ["subscribe", "subscribe", "unsubscribe", "unsubscribe"]) {
      expect(await socket.ask({ type, ref: type, pattern: "a.*" })).toEqual({ type: "ack", ref: type });
    }
    await edge.bus.publish("a.b", null);
    expect(await socket.ask({ type: "ping" })).toEqual({ type: "pong" });
  });

  test("can leave a socket without a pattern, and give it one again", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url);
    await socket.ask({ type: "unsubscribe", pattern: "*" });
    await edge.bus.publish("a", null);
    expect(await socket.ask({ type: "subscribe", pattern: "a" })).toEqual({ type: "ack" });
    await edge.bus.publish("a", null);
    expect(await socket.nextJson()).toMatchObject({ id: 2 });
  });

  test("are rejected beyond the patterns that one socket may have, but not for one that it has", async () => {
    await using edge = openEdge({ maxPatterns: 2 });
    using socket = await TestSocket.open(edge.url, "pattern=a");
    await socket.ask({ type: "subscribe", pattern: "b" });
    expect(await socket.ask({ type: "subscribe", pattern: "c" })).toMatchObject({
      code: "parameter_invalid",
      limit: 2,
    });
    expect(await socket.ask({ type: "subscribe", pattern: "b" })).toEqual({ type: "ack" });
    await socket.ask({ type: "unsubscribe", pattern: "a" });
    expect(await socket.ask({ type: "subscribe", pattern: "c" })).toEqual({ type: "ack" });
  });
});

describe("answers", () => {
  test("arrive in the order of the frames, however long each takes", async () => {
    await using edge = openEdge();
    using socket = await TestSocket.open(edge.url, "pattern=none");
    const kinds = ['"publish","topic":"a"', '"ping"', '"subscribe","pattern":"none2"', '"nonsense"', '"publish"'];
    for (const ref of range(1, 500)) socket.send(`{"ref":${ref},"type":${kinds[ref % kinds.length]}}`);
    const refs: unknown[] = [];
    while (refs.length < 500) refs.push((await socket.nextJson())["ref"]);
    expect(refs).toEqual(range(1, 500));
  });

  test("arrive in the middle of a long replay to a slow client", async () => {
    await using edge = openEdge();
    const data = "x".repeat(10_000);
    for (const _ of range(1, 20)) await Promise.all(range(1, 100).map(() => edge.bus.publish("a", data)));
    using socket = await RawSubscriber.open(edge.url, "since=0");
    socket.pause();
    for (const ref of range(1, 10)) socket.send({ type: "publish", ref, topic: "other" });
    while (edge.bus.head < 2010) await new Promise((resolve) => setImmediate(resolve));
    socket.resume();
    const frames: Record<string, unknown>[] = [];
    while (frames.at(-1)?.["type"] !== "caught_up") frames.push(await socket.nextJson());
    expect(frames.filter(({ type }) => type === undefined).map(({ id }) => id)).toEqual(range(1, 2010));
    expect(frames.filter(({ type }) => type === "ack").map(({ ref }) => ref)).toEqual(range(1, 10));
  });

  test("that the peer does not read are bounded: the connection is closed", async () => {
    await using edge = openEdge({ stallMs: 600_000 });
    using socket = await RawSubscriber.open(edge.url, "pattern=none");
    socket.pause();
    const frame = frameOf(100_000);
    // What the client has sent is in the buffers of both kernels and in those of the server.
    for (let sent = 0; edge.subscribers > 0; sent++) {
      if (sent > 10_000) throw new Error("the server takes frames without an end");
      socket.send(frame);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
});
