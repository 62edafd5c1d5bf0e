import { describe, expect, test } from "bun:test";
import { Binary } from "../helpers/binary.ts";
import { Flood } from "../helpers/flood.ts";
import { history, publish, RawConnection, requestText } from "../helpers/http.ts";
import { Load, randomFrom } from "../helpers/load.ts";
import { TestSocket } from "../helpers/socket.ts";
import { TempFolder } from "../helpers/temp.ts";

/** What the product promises. */
const STOPS_WITHIN_MS = 5000;
const SEED = Number(process.env["EVENTBUS_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const UPGRADE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/** Stops the binary, and checks that it ends in time. */
async function expectQuickStop(binary: Binary, signal: NodeJS.Signals): Promise<void> {
  const startMs = performance.now();
  expect(await binary.stop(signal)).toBe(0);
  expect(performance.now() - startMs).toBeLessThan(STOPS_WITHIN_MS);
}

/** Stops the binary, and checks that it ends well and in time. */
async function expectCleanStop(binary: Binary, signal: NodeJS.Signals): Promise<void> {
  await expectQuickStop(binary, signal);
  expect(binary.stderr).toMatch(new RegExp(`stopping reason=${signal}\\n.*stopped clean=true\\n$`));
  // A slow commit or slice is due to the machine.
  expect(binary.stderr).not.toMatch(/ (error|fatal) | warn +(?! |slow )/);
}

/** Publishes with 50 frames under way; returns the ids that were acknowledged before the connection was closed. */
async function publishUntilClosed(socket: TestSocket): Promise<number[]> {
  const frame = { type: "publish", topic: "ws" };
  const ids: number[] = [];
  for (let under = 0; under < 50; under++) socket.send(frame);
  try {
    for (;;) {
      ids.push((await socket.nextJson<{ event: { id: number } }>()).event.id);
      socket.send(frame);
    }
  } catch {
    await socket.closed;
    return ids;
  }
}

describe.each(["SIGTERM", "SIGINT"] as const)("%s under load", (signal) => {
  for (const acknowledged of [1, 500]) {
    test(`after ${acknowledged} events keeps and answers what was accepted, and rejects the rest`, async () => {
      using folder = new TempFolder();
      const load = new Load(randomFrom(SEED));
      await using binary = await Binary.start({ folder: folder.path });
      load.start(binary.url, { single: 4, many: 2, keyed: 2, socket: 1 });
      await load.untilAcknowledged(acknowledged);
      await expectCleanStop(binary, signal);
      await load.ended();
      expect(load.problems.filter((code) => code !== "shutting_down")).toEqual([]);
      await using again = await Binary.start({ folder: folder.path });
      const events = await history(again.url, "last=10000");
      load.check(events.toReversed());
      expect(events).toHaveLength(load.acknowledged);
    });
  }

  test("closes every subscriber with 1012, and answers its publishes first", async () => {
    await using binary = await Binary.start();
    const subscribers = await Promise.all(Array.from({ length: 20 }, () => TestSocket.open(binary.url)));
    const publishers = await Promise.all(Array.from({ length: 5 }, () => TestSocket.open(binary.url, "pattern=none")));
    const published = publishers.map(publishUntilClosed);
    for (let frame = 0; frame < 100; frame++) await Promise.all(subscribers.map((subscriber) => subscriber.next()));
    await expectCleanStop(binary, signal);
    const closed = await Promise.all(subscribers.map((subscriber) => subscriber.closed));
    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([1012]));
    const ids = (await Promise.all(published)).flat().toSorted((a, b) => a - b);
    await using again = await Binary.start({ folder: binary.folder });
    expect((await history(again.url, "last=10000")).map(({ id }) => id).toReversed()).toEqual(ids);
  });
});

describe("stopping does not wait for", () => {
  test("a body that never ends", async () => {
    await using binary = await Binary.start();
    using connection = await RawConnection.open(binary.url);
    connection.write(requestText("POST /api/events/publish", [], '{"topic":"a"}').slice(0, -1));
    await publish(binary.url, "a");
    await expectCleanStop(binary, "SIGTERM");
  });

  test("a subscriber that reads nothing", async () => {
    await using binary = await Binary.start();
    using connection = await RawConnection.open(binary.url);
    connection.write(requestText("GET /api/events/subscribe", [...UPGRADE, KEY]));
    expect((await connection.answer())?.status).toBe(101);
    connection.pause();
    for (let index = 0; index < 30; index++) await publish(binary.url, "a", "x".repeat(1_000_000));
    await expectCleanStop(binary, "SIGTERM");
  });

  test("a stream that never ends", async () => {
    await using binary = await Binary.start();
    const response = await fetch(`${binary.url}/api/events/stream`);
    const text = response.text().catch(() => "");
    await expectCleanStop(binary, "SIGTERM");
    expect(await text).toContain("event: bye");
  });

  for (const accept of ["application/json", "application/x-ndjson"]) {
    test(`a history as ${accept} that is no longer read`, async () => {
      await using binary = await Binary.start();
      for (let index = 0; index < 30; index++) await publish(binary.url, "a", "x".repeat(1_000_000));
      using connection = await RawConnection.open(binary.url);
      connection.pause();
      connection.write(requestText("GET /api/events/history", [`Accept: ${accept}`]));
      await publish(binary.url, "a");
      await expectCleanStop(binary, "SIGTERM");
    });
  }

  test("new connections that come as fast as they are answered", async () => {
    await using binary = await Binary.start();
    const patterns = Array.from({ length: 60 }, (_, index) => `pattern=*x${index}*[a-c]*`).join("&");
    using flood = new Flood(binary.url, 50, requestText(`GET /api/events/subscribe?${patterns}`, [...UPGRADE, KEY]));
    await flood.more(100);
    await expectQuickStop(binary, "SIGTERM");
    expect(binary.stderr).toContain("stopped clean=true");
  });

  test("connections that are kept alive", async () => {
    await using binary = await Binary.start();
    using connection = await RawConnection.open(binary.url);
    connection.write(requestText("GET /healthz"));
    await connection.answer();
    await expectCleanStop(binary, "SIGINT");
  });
});

test("stopping is not hurried or spoilt by a second signal", async () => {
  await using binary = await Binary.start();
  await publish(binary.url, "a");
  binary.signal("SIGTERM");
  binary.signal("SIGINT");
  expect(await binary.exited).toBe(0);
  await using again = await Binary.start({ folder: binary.folder });
  expect(await history(again.url)).toHaveLength(1);
});
