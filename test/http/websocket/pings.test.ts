import { describe, expect, test } from "bun:test";
import type { LimitName } from "../../../src/http/limits/limits.ts";
import { type Edge, openEdge } from "../../helpers/edge.ts";
import { until } from "../../helpers/inbox.ts";
import { range } from "../../helpers/memory-bus.ts";
import { RawSubscriber } from "../../helpers/raw-web-socket.ts";

/** The largest payload of a ping. */
const PAYLOAD = "x".repeat(125);
/** Events of a kilobyte: several times what the buffers of both kernels hold. */
const FLOOD = 20_000;

/** A subscriber that reads nothing, with output waiting for it. */
async function openFull(edge: Edge): Promise<RawSubscriber> {
  const socket = await RawSubscriber.open(edge.url);
  socket.pause();
  await Promise.all(range(1, FLOOD).map(() => edge.bus.publish("flood", PAYLOAD.repeat(8))));
  return socket;
}

describe("a WebSocket that sends pings", () => {
  test("and reads no pongs is disconnected before they pile up", async () => {
    const limits: LimitName[] = [];
    await using edge = openEdge({ onLimit: (limit) => limits.push(limit) });
    using socket = await openFull(edge);
    socket.ping(PAYLOAD, 900);
    await until(() => edge.subscribers === 0);
    expect(limits).toEqual(["unanswered"]);
    expect(edge.server.waiting.bytes).toBe(0);
  });

  test("without end is disconnected although it reads the pongs", async () => {
    const limits: LimitName[] = [];
    await using edge = openEdge({ onLimit: (limit) => limits.push(limit) });
    using socket = await RawSubscriber.open(edge.url);
    socket.ping("", 100_000);
    await socket.closed;
    expect(limits).toEqual(["unanswered"]);
  });

  test("now and then gets its pongs", async () => {
    // It is looked at every few milliseconds.
    await using edge = openEdge({ pingMs: 3000 });
    using socket = await RawSubscriber.open(edge.url);
    for (const ref of range(1, 2)) {
      socket.ping(PAYLOAD, 600);
      socket.send({ type: "ping", ref });
      expect(await socket.nextJson()).toEqual({ type: "pong", ref });
      await Bun.sleep(500);
    }
  });

  test("while events are waiting for it stays, and gets them", async () => {
    await using edge = openEdge();
    using socket = await openFull(edge);
    socket.ping(PAYLOAD, 100);
    socket.send({ type: "publish", topic: "end" });
    await until(() => edge.bus.highestId === FLOOD + 1);
    socket.resume();
    for (const id of range(1, FLOOD + 1)) {
      let frame = await socket.nextJson();
      while ("type" in frame) frame = await socket.nextJson();
      expect(frame["id"]).toBe(id);
    }
  });
});
