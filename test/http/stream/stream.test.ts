import { describe, expect, test } from "bun:test";
import { type Edge, openEdge } from "../../helpers/edge.ts";
import { expectProblem, publish, publishMany } from "../../helpers/http.ts";
import { until } from "../../helpers/inbox.ts";
import { publishCounted, range } from "../../helpers/memory-bus.ts";
import { type RawStreamOptions, StreamSubscriber } from "../../helpers/raw-stream.ts";

/** The next items of a stream, this many: ids for events, the whole message for the rest. */
async function partsOf(stream: StreamSubscriber, count: number): Promise<unknown[]> {
  const parts: unknown[] = [];
  while (parts.length < count) {
    const part = await stream.nextJson();
    parts.push("type" in part ? part : part["id"]);
  }
  return parts;
}

const open = (edge: Edge, options: RawStreamOptions = {}) => StreamSubscriber.open(edge.url, options);

describe("a stream of server-sent events", () => {
  test("starts with a head that keeps every proxy from holding it back", async () => {
    await using edge = openEdge();
    using stream = await open(edge);
    expect(stream.head.status).toBe(200);
    expect(Object.fromEntries(stream.head.headers)).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
  });

  test("sends each event with its id and, as data, the text that the publisher received", async () => {
    await using edge = openEdge();
    using stream = await open(edge);
    const answer = await fetch(`${edge.url}/api/events/publish/a`, { method: "POST", body: '{"n":1.10}' });
    expect((await stream.next()).text).toBe(`id: 1\ndata: ${await answer.text()}`);
  });

  test("names messages that are not events, so that `onmessage` sees only events", async () => {
    await using edge = openEdge({ maxHistory: 1 });
    await publishCounted(edge.bus, 3);
    await edge.bus.prune();
    using stream = await open(edge, { query: "since=0" });
    expect((await stream.next()).text).toBe('event: gap\ndata: {"type":"gap","after":0,"next":3}');
    expect((await stream.next()).fields.id).toBe("3");
    expect((await stream.next()).text).toBe('event: caught_up\ndata: {"type":"caught_up","id":3}');
  });

  test("sends a keep-alive while nothing happens, with the id to resume from", async () => {
    await using edge = openEdge({ tuning: { keepAliveMs: 1 } });
    await publishCounted(edge.bus, 3, "other");
    using stream = await open(edge, { query: "pattern=a" });
    expect((await stream.nextPart()).text).toBe(": keep-alive\nid: 3");
    await publishCounted(edge.bus, 2, "other");
    await until(async () => (await stream.nextPart()).fields.id === "5");
  });

  test("says bye when the server stops, with the time after which to connect again", async () => {
    await using edge = openEdge();
    using stream = await open(edge);
    await publish(edge.url, "a");
    expect(await partsOf(stream, 1)).toEqual([1]);
    const stopped = edge.server.stop();
    expect((await stream.next()).fields).toEqual({ event: "bye", retry: "1000", data: '{"type":"bye"}' });
    expect(await stream.closed).toBe(true);
    await stopped;
  });

  test("can be read by a browser's EventSource, and by any other conforming reader", async () => {
    await using edge = openEdge();
    await publishCounted(edge.bus, 2);
    const response = await fetch(`${edge.url}/api/events/stream?since=0`);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("caught_up")) text += (await reader?.read())?.value ?? "";
    await reader?.cancel();
    expect(text).toMatch(/^: keep-alive\nid: 0\n\nid: 1\ndata: \{.*\}\n\nid: 2\ndata: \{.*\}\n\nevent: caught_up\n/);
  });
});

describe("a stream of JSON lines", () => {
  const isLines = true;

  test("comes when it is accepted", async () => {
    await using edge = openEdge();
    using stream = await open(edge, { isLines });
    expect(stream.head.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    const event = await publish(edge.url, "a", { n: 1 });
    expect(await stream.nextJson()).toEqual({ ...event });
  });

  test("reports gaps and the end of the replay by lines with a type", async () => {
    await using edge = openEdge({ maxHistory: 1 });
    await publishCounted(edge.bus, 3);
    await edge.bus.prune();
    using stream = await open(edge, { isLines, query: "since=0" });
    expect(await partsOf(stream, 3)).toEqual([{ type: "gap", after: 0, next: 3 }, 3, { type: "caught_up", id: 3 }]);
  });

  test("sends empty lines as keep-alives", async () => {
    await using edge = openEdge({ tuning: { keepAliveMs: 1 } });
    using stream = await open(edge, { isLines });
    for (const _ of range(1, 3)) expect((await stream.nextPart()).text).toBe("");
  });

  test("just ends when the server stops", async () => {
    await using edge = openEdge();
    using stream = await open(edge, { isLines });
    const stopped = edge.server.stop();
    expect(await stream.closed).toBe(true);
    expect(stream.next()).rejects.toThrow("ended");
    await stopped;
  });
});

describe.each([false, true])("a stream, by lines: %p,", (isLines) => {
  test("gets what matches its patterns, once", async () => {
    await using edge = openEdge();
    using stream = await open(edge, { isLines, query: "pattern=a.*&pattern=*.x" });
    for (const topic of ["a.x", "b.y", "b.x", "a.y"]) await publish(edge.url, topic);
    expect(await partsOf(stream, 3)).toEqual([1, 3, 4]);
  });

  test.each([
    ["since=3", [4, 5]],
    ["since=all", range(1, 5)],
    ["since=now", []],
    ["since=1h", range(1, 5)],
    ["since=2000-01-01T00:00:00Z", range(1, 5)],
    ["last=2", [4, 5]],
    ["last_event_id=3", [4, 5]],
    ["last_event_id=3&since=1", [4, 5]],
    ["last_event_id=3&last=1", [4, 5]],
    ["lastEventId=3", [4, 5]],
    ["lastEventId=1&last_event_id=3&since=2", [4, 5]],
    ["last_event_id=5", []],
  ])("with %s gets the replay, caught_up, and then what comes", async (query, replayed) => {
    await using edge = openEdge();
    await publishCounted(edge.bus, 5);
    using stream = await open(edge, { isLines, query });
    expect(await partsOf(stream, replayed.length + 1)).toEqual([...replayed, { type: "caught_up", id: 5 }]);
    await publish(edge.url, "a");
    expect(await partsOf(stream, 1)).toEqual([6]);
  });

  test("that requested no replay gets nothing but events", async () => {
    await using edge = openEdge();
    await publishCounted(edge.bus, 5);
    using stream = await open(edge, { isLines });
    await publish(edge.url, "a");
    expect(await partsOf(stream, 1)).toEqual([6]);
  });

  test("resumes by the header, which wins over the whole query", async () => {
    await using edge = openEdge();
    await publishCounted(edge.bus, 5);
    const headers = ["Last-Event-ID: 4"];
    using stream = await open(edge, { isLines, headers, query: "last_event_id=2&since=1" });
    expect(await partsOf(stream, 2)).toEqual([5, { type: "caught_up", id: 5 }]);
  });

  test("resumes as the query says when the header is empty", async () => {
    await using edge = openEdge();
    await publishCounted(edge.bus, 5);
    using stream = await open(edge, { isLines, headers: ["Last-Event-ID:"], query: "last_event_id=3" });
    expect(await partsOf(stream, 2)).toEqual([4, 5]);
  });

  test.each([
    ["last_event_id=99", []],
    ["lastEventId=6", []],
    ["since=1", ["Last-Event-ID: 1796022000"]],
  ])(
    "that resumes from an id that was never given gets a gap, and continues with new events: %s %j",
    async (query, headers) => {
      await using edge = openEdge();
      await publishCounted(edge.bus, 5);
      using stream = await open(edge, { isLines, query, headers });
      const after = Number(/\d+$/.exec(headers[0] ?? query)?.[0]);
      const gap = { type: "gap", after, next: 6 };
      expect(await partsOf(stream, 2)).toEqual([gap, { type: "caught_up", id: 5 }]);
      await publish(edge.url, "a");
      expect(await partsOf(stream, 1)).toEqual([6]);
    },
  );

  test("loses and repeats nothing across many connections while events are published", async () => {
    await using edge = openEdge({ tuning: { maxWaitingBytes: 300, checkCharacters: 100, pageEvents: 5 } });
    let isDone = false;
    const publisher = (async () => {
      while (!isDone) await publishCounted(edge.bus, 10);
    })();
    let last = 0;
    for (const _ of range(1, 20)) {
      using stream = await open(edge, { isLines, headers: [`Last-Event-ID: ${last}`] });
      const ids = (await partsOf(stream, 100)).filter((part) => typeof part === "number");
      expect(ids).toEqual(range(last + 1, last + ids.length));
      last += ids.length;
    }
    isDone = true;
    await publisher;
  });
});

describe("a stream is rejected", () => {
  test.each([
    ["pattern=%5B", "pattern_invalid"],
    ["since=yesterday", "parameter_invalid"],
    ["since=1&last=2", "parameter_invalid"],
    ["last=0", "parameter_invalid"],
    ["last_event_id=-1", "parameter_invalid"],
    ["lastEventId=abc", "parameter_invalid"],
    ["since=1", "parameter_invalid"],
    ["last_event_id=abc", "parameter_invalid"],
    ["last_event_id=1&last_event_id=2", "parameter_invalid"],
    ["sinse=1", "parameter_unknown"],
    [
      range(1, 65)
        .map((n) => `pattern=p${n}`)
        .join("&"),
      "parameter_invalid",
    ],
  ] as const)("%s: %s", async (query, code) => {
    await using edge = openEdge();
    await expectProblem(await fetch(`${edge.url}/api/events/stream?${query}`), code);
    expect(edge.subscribers).toBe(0);
  });

  test.each(["abc", "-1", "1.5", "1, 2"])("with the header Last-Event-ID: %s", async (value) => {
    await using edge = openEdge();
    const response = await fetch(`${edge.url}/api/events/stream`, { headers: { "Last-Event-ID": value } });
    expect(await expectProblem(response, "parameter_invalid")).toMatchObject({ parameter: "Last-Event-ID" });
  });

  test("when there are as many subscribers as may be, of whatever transport", async () => {
    await using edge = openEdge({ maxConnections: 1 });
    using _stream = await open(edge);
    await expectProblem(await fetch(`${edge.url}/api/events/stream`), "too_many_connections");
  });
});

describe("a client of a stream", () => {
  test("that leaves costs nothing from then on, and its place is free", async () => {
    await using edge = openEdge({ maxConnections: 1 });
    for (const _ of range(1, 5)) {
      using stream = await open(edge);
      stream.terminate();
      await until(() => edge.subscribers === 0);
    }
  });

  test("that leaves before it was answered costs nothing either", async () => {
    await using edge = openEdge();
    const opening = range(1, 100).map(async () => {
      const abort = new AbortController();
      const answer = fetch(`${edge.url}/api/events/stream`, { signal: abort.signal });
      setImmediate(() => abort.abort());
      return answer.then((response) => response.text()).catch(() => "aborted");
    });
    await Promise.all(opening);
    await until(() => edge.subscribers === 0);
  });

  test("that stops reading is disconnected, while one that gets no events is not", async () => {
    // The shortest time in which Bun can detect a stalled stream: it checks every four seconds.
    await using edge = openEdge({ stallMs: 5000, tuning: { keepAliveMs: 500 } });
    using idle = await open(edge, { query: "pattern=marker" });
    using stalled = await open(edge, { query: "pattern=flood" });
    stalled.pause();
    const data = "x".repeat(100_000);
    for (const _ of range(1, 10)) await Promise.all(range(1, 20).map(() => edge.bus.publish("flood", data)));
    await until(() => edge.subscribers === 1, "the end of the stalled stream");
    await publish(edge.url, "marker");
    expect(await partsOf(idle, 1)).toEqual([201]);
  });

  test("that stopped reading for a while gets everything, in order, once", async () => {
    await using edge = openEdge();
    using stream = await open(edge);
    stream.pause();
    for (const _ of range(1, 20)) {
      await publishMany(
        edge.url,
        range(1, 500).map(() => ({ topic: "a", data: "x".repeat(1000) })),
      );
    }
    expect(edge.server.subscribers.stream).toEqual({ live: 0, replay: 1 });
    stream.resume();
    expect(await partsOf(stream, 10_000)).toEqual(range(1, 10_000));
    await until(() => edge.server.subscribers.stream.live === 1);
  });
});
