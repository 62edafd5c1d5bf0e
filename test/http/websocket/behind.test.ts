import { expect, test } from "bun:test";
import { openEdge } from "../../helpers/edge.ts";
import { until } from "../../helpers/inbox.ts";
import { StreamSubscriber } from "../../helpers/raw-stream.ts";
import { RawSubscriber } from "../../helpers/raw-web-socket.ts";

test("the number of subscribers behind, their lag and their waiting output are shown until they have caught up", async () => {
  await using edge = openEdge();
  const { replay } = edge.server;
  expect(replay.near).toEqual({ subscribers: 0, lag: 0 });
  expect(replay.share).toBeCloseTo(1 / 30);
  using socket = await RawSubscriber.open(edge.url);
  using stream = await StreamSubscriber.open(edge.url, { isLines: true });
  for (const reader of [socket, stream]) reader.pause();
  const padding = "x".repeat(100_000);
  while (edge.server.subscribers.websocket.live + edge.server.subscribers.stream.live > 0) {
    await edge.bus.publish("a", padding);
  }
  const { near, far } = edge.server.replay;
  expect(near.subscribers + far.subscribers).toBe(2);
  expect(Math.max(near.lag, far.lag)).toBeLessThan(edge.bus.head);
  expect(edge.server.waiting.bytes).toBeGreaterThan(100_000);
  for (const reader of [socket, stream]) reader.resume();
  await until(() => edge.server.replay.near.subscribers + edge.server.replay.far.subscribers === 0);
  await until(() => edge.server.waiting.bytes === 0);
});
