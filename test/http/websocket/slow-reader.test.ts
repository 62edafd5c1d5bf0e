import { describe, expect, test } from "bun:test";
import type { ServerWebSocket } from "bun";
import { PatternSet } from "../../../src/bus/patterns/pattern-set.ts";
import type { Connection } from "../../../src/http/websocket/connection.ts";
import { serveSubscribe } from "../../../src/index.ts";
import { ServerProcess } from "../../client/server-process.ts";
import { type Edge, openEdge } from "../../helpers/edge.ts";
import { publishMany } from "../../helpers/http.ts";
import { until } from "../../helpers/inbox.ts";
import { openMemoryBus, range } from "../../helpers/memory-bus.ts";
import { StreamSubscriber } from "../../helpers/raw-stream.ts";
import { RawSubscriber } from "../../helpers/raw-web-socket.ts";

const MIB = 1024 * 1024;
const KILOBYTE_TEXT = "x".repeat(1000);

/** Publishes this many events of 1 KB each, a thousand a batch; the loop is free between two batches. */
async function publishKilobytes(edge: Edge, count: number): Promise<void> {
  for (let done = 0; done < count; done += 1000) {
    await Promise.all(range(1, 1000).map(() => edge.bus.publish("flood", KILOBYTE_TEXT)));
  }
}

/** The next frames, this many: ids for events, the whole message for the rest. */
async function framesOf(reader: { nextJson(): Promise<Record<string, unknown>> }, count: number): Promise<unknown[]> {
  const frames: unknown[] = [];
  while (frames.length < count) {
    const frame = await reader.nextJson();
    frames.push("type" in frame ? frame : frame["id"]);
  }
  return frames;
}

describe("a WebSocket that reads far more slowly than events arrive", () => {
  test("gets every event, in order, once, while others are up to date", async () => {
    await using edge = openEdge();
    using slow = await RawSubscriber.open(edge.url);
    using quick = await RawSubscriber.open(edge.url);
    for (const round of range(1, 10)) {
      slow.pause();
      await publishKilobytes(edge, 2000);
      const [first, last] = [(round - 1) * 2000 + 1, round * 2000];
      // The quick one has it all before the slow one goes on.
      expect(await framesOf(quick, 2000)).toEqual(range(first, last));
      slow.resume();
      expect(await framesOf(slow, 100)).toEqual(range((round - 1) * 100 + 1, round * 100));
    }
    expect(await framesOf(slow, 19_000)).toEqual(range(1001, 20_000));
  });

  test("is served from the history meanwhile, and is live again when it has caught up", async () => {
    await using edge = openEdge();
    using slow = await RawSubscriber.open(edge.url);
    slow.pause();
    await publishKilobytes(edge, 20_000);
    expect(edge.server.subscribers.websocket).toEqual({ live: 0, replay: 1 });
    slow.resume();
    expect(await framesOf(slow, 20_000)).toEqual(range(1, 20_000));
    await until(() => edge.server.subscribers.websocket.live === 1);
    await edge.bus.publish("flood", null);
    expect(await framesOf(slow, 1)).toEqual([20_001]);
  });

  test("gets each gap that retention has left once, with the ids around it", async () => {
    await using edge = openEdge({ maxHistory: 500 });
    using slow = await RawSubscriber.open(edge.url);
    let last = 0;
    for (const round of range(1, 3)) {
      let gaps = 0;
      slow.pause();
      await publishKilobytes(edge, 40_000);
      await edge.bus.prune();
      slow.resume();
      while (last < round * 40_000) {
        const { id, after, next } = (await slow.nextJson()) as Record<string, number>;
        // After a gap comes the event that ends it, and never another gap.
        if (id === undefined) expect([after, (await slow.nextJson())["id"]]).toEqual([last, next]);
        else expect(id).toBe(last + 1);
        if (next !== undefined) gaps++;
        last = id ?? next ?? 0;
      }
      expect(gaps).toBeGreaterThan(0);
    }
  });
});

describe("a WebSocket that stops reading", () => {
  test("is closed when it has read nothing for the configured time, and resumes where it was", async () => {
    await using edge = openEdge({ stallMs: 300 });
    using stuck = await RawSubscriber.open(edge.url);
    stuck.pause();
    await publishKilobytes(edge, 10_000);
    await until(() => edge.subscribers === 0);
    stuck.resume();
    let last = 0;
    try {
      for (;;) expect((await stuck.nextJson())["id"]).toBe(++last);
    } catch {
      expect(await stuck.closed).toBe(1006);
    }
    using again = await RawSubscriber.open(edge.url, `since=${last}`);
    const rest = range(last + 1, 10_000);
    expect(await framesOf(again, rest.length + 1)).toEqual([...rest, { type: "caught_up", id: 10_000 }]);
  });

  test("is left alone while nothing waits for it, though others are served", async () => {
    await using edge = openEdge({ stallMs: 50 });
    using quiet = await RawSubscriber.open(edge.url, "pattern=quiet");
    quiet.pause();
    using other = await RawSubscriber.open(edge.url, "pattern=flood");
    const startMs = performance.now();
    while (performance.now() - startMs < 500) await publishKilobytes(edge, 1000);
    expect(edge.subscribers).toBe(2);
    quiet.resume();
    await edge.bus.publish("quiet", null);
    expect(await framesOf(quiet, 1)).toEqual([edge.bus.head]);
    expect(await framesOf(other, 1)).toEqual([1]);
  });

  test("is not closed for a burst after a long silence", async () => {
    await using edge = openEdge({ stallMs: 3000 });
    using reader = await RawSubscriber.open(edge.url);
    // Longer than a stall may last: what counts is how long bytes have waited, not how long ago the last were taken.
    await new Promise((resolve) => setTimeout(resolve, 3100));
    reader.pause();
    await publishKilobytes(edge, 6000);
    reader.resume();
    expect(await framesOf(reader, 6000)).toEqual(range(1, 6000));
  });
});

describe("events of 1 MiB", () => {
  const data = "x".repeat(MIB - 200);
  const lengthOf = async (reader: RawSubscriber) => (await reader.next()).length;

  test("all arrive at sockets that read; one that does not is served later, with bounded memory", async () => {
    await using edge = openEdge();
    using stuck = await RawSubscriber.open(edge.url);
    using quick = await RawSubscriber.open(edge.url);
    using twin = await RawSubscriber.open(edge.url);
    stuck.pause();
    for (const n of range(1, 50)) {
      const [event] = await Promise.all([edge.bus.publish("large", data), lengthOf(quick), lengthOf(twin)]);
      expect(event.id).toBe(n);
    }
    expect(edge.server.subscribers.websocket).toEqual({ live: 2, replay: 1 });
    stuck.resume();
    expect(await framesOf(stuck, 50)).toEqual(range(1, 50));
  });

  test("in one batch arrive at all sockets, in order, once", async () => {
    await using edge = openEdge();
    const readers = await Promise.all(range(1, 5).map(() => RawSubscriber.open(edge.url)));
    const records = Promise.all(readers.map((reader) => framesOf(reader, 50)));
    await Promise.all(range(1, 50).map(() => edge.bus.publish("large", data)));
    expect(await records).toEqual(Array(5).fill(range(1, 50)));
    for (const reader of readers) reader[Symbol.dispose]();
  });
});

describe("what waits in the buffer of one socket", () => {
  /** Floods a socket that does not read, and returns the most bytes that ever waited in it. */
  async function mostBuffered(data: string, batches: number, batchEvents: number): Promise<number> {
    await using memory = openMemoryBus();
    const handler = serveSubscribe(memory.bus, console);
    const sockets: ServerWebSocket<Connection>[] = [];
    const open = (socket: ServerWebSocket<Connection>) => {
      sockets.push(socket);
      handler.websocket.open?.(socket);
    };
    const server = Bun.serve({ port: 0, ...handler, websocket: { ...handler.websocket, open } });
    using stuck = await RawSubscriber.open(server.url.href.replace(/\/$/, ""));
    stuck.pause();
    let most = 0;
    const look = () => {
      most = Math.max(most, sockets[0]?.getBufferedAmount() ?? 0);
    };
    memory.bus.addInterest({ topics: PatternSet.parse(["*"]), deliver: look });
    for (const _ of range(1, batches)) {
      await Promise.all(range(1, batchEvents).map(() => memory.bus.publish("flood", data)));
      for (const __ of range(1, 3)) await new Promise<void>((resolve) => setImmediate(() => resolve(look())));
    }
    handler.close();
    await server.stop(true);
    return most;
  }

  test.each([
    ["small events", "x".repeat(100), 20, 8000],
    ["events of 1 KB", KILOBYTE_TEXT, 4, 5000],
    ["events just too small for Bun to pass them to the socket at once", "x".repeat(16_200), 4, 500],
    ["events of three bytes a character", "\u20ac".repeat(5400), 4, 500],
  ])("is bounded, and far below what Bun would drop events at: %s", async (_, data, batches, batchEvents) => {
    const most = await mostBuffered(data, batches, batchEvents);
    expect(most).toBeGreaterThan(0.25 * MIB);
    expect(most).toBeLessThan(1.5 * MIB);
  });

  test("is bounded with events of 1 MiB, too: two of them and a little", async () => {
    const most = await mostBuffered("x".repeat(MIB - 200), 2, 50);
    expect(most).toBeLessThan(3 * MIB);
  });
});

describe("the memory of the server", () => {
  const READERS = 100;
  const BATCH_EVENTS = 9000;
  const FLOOD_EVENTS = 6 * BATCH_EVENTS;

  /** Publishes events of 1 KB, in the largest batches there are. */
  async function flood(url: string): Promise<void> {
    const batch = range(1, BATCH_EVENTS).map(() => ({ topic: "flood", data: KILOBYTE_TEXT }));
    for (let done = 0; done < FLOOD_EVENTS; done += BATCH_EVENTS) await publishMany(url, batch);
  }

  const transports = {
    WebSocket: (url: string) => RawSubscriber.open(url),
    "server-sent events": (url: string) => StreamSubscriber.open(url),
    "JSON lines": (url: string) => StreamSubscriber.open(url, { isLines: true }),
  };

  test.each(Object.entries(transports))("for one that does not read is under 2 MiB: %s", async (_, open) => {
    await using server = await ServerProcess.start(["--durability", "os"]);
    // Twice, so that the heap is as large as it gets by the events themselves.
    for (const _ of range(1, 2)) await flood(server.url);
    const quietMiB = server.rssMiB();
    using reader = await open(server.url);
    const others = await Promise.all(range(2, READERS).map(() => open(server.url)));
    for (const one of [reader, ...others]) one.pause();
    await flood(server.url);
    // Garbage is collected; output waiting for sockets that do not read stays.
    await until(() => (server.rssMiB() - quietMiB) / READERS < 2, "memory under 2 MiB for each reader");
    reader.resume();
    expect(await framesOf(reader, 10_000)).toEqual(range(FLOOD_EVENTS * 2 + 1, FLOOD_EVENTS * 2 + 10_000));
    for (const one of others) one[Symbol.dispose]();
  });
});
