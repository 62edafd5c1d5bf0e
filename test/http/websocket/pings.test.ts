import { describe, expect, test } from "bun:test";
import type { LimitName } from "../../../src/http/limits/limits.ts";
import { openEdge } from "../../helpers/edge.ts";
import { until } from "../../helpers/inbox.ts";
import { range } from "../../helpers/memory-bus.ts";
import { RawSubscriber } from "../../helpers/raw-web-socket.ts";

/** The largest payload of a ping. */
const PAYLOAD = "x".repeat(125);
/** Pings of 127 bytes: several times what the buffers of both kernels hold. */
const MANY = 200_000;

describe("a WebSocket that sends pings", () => {
  test("and reads no pongs is disconnected before they pile up", async () => {
    const limits: LimitName[] = [];
    await using edge = openEdge({ onLimit: (limit) => limits.push(limit) });
    using socket = await RawSubscriber.open(edge.url);
    socket.pause();
    socket.ping(PAYLOAD, MANY);
    await until(() => edge.subscribers === 0);
    expect(limits).toEqual(["unanswered"]);
    expect(edge.server.waiting.bytes).toBe(0);
  });

  test("and reads its pongs may send as many as it likes", async () => {
    await using edge = openEdge();
    using socket = await RawSubscriber.open(edge.url);
    for (const ref of range(1, 100)) {
      socket.ping(PAYLOAD, 100);
      socket.send({ type: "ping", ref });
      expect(await socket.nextJson()).toEqual({ type: "pong", ref });
    }
  });

  test("while events are waiting for it stays, and gets them", async () => {
    await using edge = openEdge();
    using socket = await RawSubscriber.open(edge.url);
    socket.pause();
    await Promise.all(range(1, 10_000).map(() => edge.bus.publish("flood", PAYLOAD.repeat(8))));
    socket.ping(PAYLOAD, 100);
    socket.send({ type: "publish", topic: "end" });
    await until(() => edge.bus.highestId === 10_001);
    socket.resume();
    for (const id of range(1, 10_001)) {
      let frame = await socket.nextJson();
      while ("type" in frame) frame = await socket.nextJson();
      expect(frame["id"]).toBe(id);
    }
  });
});
