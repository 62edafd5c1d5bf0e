import { describe, expect, test } from "bun:test";
import type { ConsumerInfo } from "../../../src/protocol/consumer.ts";
import type { DeliveryFrame } from "../../../src/protocol/frames.ts";
import { expectOk, publish, publishMany } from "../../helpers/http.ts";
import { startService, type TestService } from "../../helpers/service.ts";
import { TestSocket } from "../../helpers/socket.ts";

/** A pattern that no topic matches. */
const NOTHING = "pattern=none";

async function set(service: TestService, settings: object): Promise<void> {
  await fetch(`${service.url}/api/consumers/c`, {
    method: "PUT",
    body: JSON.stringify({ pattern: ["a"], ...settings }),
  });
}

async function infoOf(service: TestService): Promise<ConsumerInfo> {
  return expectOk(await fetch(`${service.url}/api/consumers/c`));
}

async function consuming(service: TestService, credit: number): Promise<TestSocket> {
  const socket = await TestSocket.open(service.url, NOTHING);
  expect(await socket.ask({ type: "consume", ref: 1, consumer: "c", credit })).toEqual({ type: "ack", ref: 1 });
  return socket;
}

async function deliveries(socket: TestSocket, count: number): Promise<DeliveryFrame[]> {
  const frames: DeliveryFrame[] = [];
  while (frames.length < count) frames.push(await socket.nextJson<DeliveryFrame>());
  return frames;
}

describe("a WebSocket that consumes", () => {
  test("gets as many deliveries as it has credit for, and one more for each that it acknowledges", async () => {
    await using service = await startService();
    await set(service, { order: "none" });
    await publishMany(service.url, Array(3).fill({ topic: "a" }));
    await fetch(`${service.url}/api/consumers/c/seek`, { method: "POST", body: '{"since":"all"}' });
    using socket = await consuming(service, 2);
    const [first, second] = await deliveries(socket, 2);
    expect(first).toMatchObject({ type: "delivery", consumer: "c", attempt: 1, event: { id: 1 } });
    expect(await socket.ask({ type: "ping" })).toEqual({ type: "pong" });
    socket.send({ type: "ack", deliveries: [first?.delivery] });
    expect(await deliveries(socket, 1)).toMatchObject([{ event: { id: 3 } }]);
    const asked = { type: "ack", ref: 2, deliveries: [second?.delivery, "nothing"] };
    expect(await socket.ask(asked)).toEqual({ type: "settled", ref: 2, done: 1, unknown: ["nothing"] });
    expect(await infoOf(service)).toMatchObject({ place: 2, in_flight: 1 });
  });

  test("shares the work with others", async () => {
    await using service = await startService();
    await set(service, { order: "none" });
    using one = await consuming(service, 1);
    using other = await consuming(service, 1);
    await publishMany(service.url, Array(2).fill({ topic: "a" }));
    const taken = [...(await deliveries(one, 1)), ...(await deliveries(other, 1))];
    expect(taken.map((frame) => "event" in frame && frame.event.id).toSorted()).toEqual([1, 2]);
  });

  test("gives back what it holds when it is closed", async () => {
    await using service = await startService();
    await set(service, { ack_timeout: "1h" });
    const lost = await consuming(service, 1);
    await publish(service.url, "a");
    await deliveries(lost, 1);
    using socket = await consuming(service, 1);
    lost.close();
    expect(await deliveries(socket, 1)).toMatchObject([{ attempt: 2, event: { id: 1 } }]);
  });

  test("gets its credit back for what was taken back, and cannot acknowledge it", async () => {
    await using service = await startService();
    await set(service, { ack_timeout: "100ms", retry: ["0s"] });
    using socket = await consuming(service, 1);
    await publish(service.url, "a");
    const [first] = await deliveries(socket, 1);
    expect(await deliveries(socket, 1)).toMatchObject([{ attempt: 2 }]);
    socket.send({ type: "ack", deliveries: [first?.delivery] });
    expect(await socket.nextJson()).toMatchObject({ type: "settled", done: 0, unknown: [first?.delivery] });
  });

  test("reports failures, and keeps what takes longer", async () => {
    await using service = await startService();
    await set(service, { ack_timeout: "300ms" });
    using socket = await consuming(service, 1);
    await publish(service.url, "a");
    const [first] = await deliveries(socket, 1);
    const kept = { type: "extend", ref: 1, deliveries: [first?.delivery] };
    expect(await socket.ask(kept)).toMatchObject({ done: 1, unknown: [] });
    socket.send({ type: "nack", deliveries: [first?.delivery], delay: "0s", reason: "the till is closed" });
    expect(await deliveries(socket, 1)).toMatchObject([{ attempt: 2 }]);
    expect(await infoOf(service)).toMatchObject({ last_error: "the till is closed" });
  });

  test("gets no more once its credit is 0", async () => {
    await using service = await startService();
    await set(service, {});
    using socket = await consuming(service, 1);
    expect(await socket.ask({ type: "consume", consumer: "c", credit: 0 })).toEqual({ type: "ack" });
    await publish(service.url, "a");
    expect(await socket.ask({ type: "ping" })).toEqual({ type: "pong" });
    socket.send({ type: "consume", consumer: "c", credit: 1 });
    expect(await socket.nextJson()).toEqual({ type: "ack" });
    expect(await deliveries(socket, 1)).toHaveLength(1);
  });

  test.each([
    [{ consumer: "nope", credit: 1 }, "not_found"],
    [{ consumer: "c", credit: -1 }, "parameter_invalid"],
    [{ consumer: "c" }, "parameter_invalid"],
    [{ credit: 1 }, "parameter_invalid"],
  ])("learns what is wrong with %p", async (members, code) => {
    await using service = await startService();
    await set(service, {});
    using socket = await TestSocket.open(service.url, NOTHING);
    expect(await socket.ask({ type: "consume", ...members })).toMatchObject({ type: "error", code });
  });

  test("needs no right to read events, and takes only from the consumers that its token names", async () => {
    await using service = await startService();
    await set(service, {});
    const secretOf = async (spec: object, by = "") => {
      const headers = { Authorization: `Bearer ${by}` };
      const init = { method: "POST", body: JSON.stringify(spec), headers };
      return ((await (await fetch(`${service.url}/api/tokens`, init)).json()) as { secret: string }).secret;
    };
    const root = await secretOf({ name: "root", admin: true });
    const worker = await secretOf({ name: "worker", consume: ["c"] }, root);
    const other = await secretOf({ name: "other", consume: ["d"] }, root);
    using socket = await TestSocket.open(service.url, `access_token=${worker}`);
    expect(await socket.ask({ type: "consume", consumer: "c", credit: 1 })).toEqual({ type: "ack" });
    await service.bus.publish("a", 1);
    expect(await socket.nextJson()).toMatchObject({ type: "delivery" });
    using stranger = await TestSocket.open(service.url, `access_token=${other}`);
    const refused = await stranger.ask({ type: "consume", consumer: "c", credit: 1 });
    expect(refused).toMatchObject({ type: "error", code: "scope_insufficient" });
  });

  test("that the server closes by stopping costs no attempt", async () => {
    await using service = await startService();
    await set(service, {});
    using socket = await consuming(service, 1);
    await publish(service.url, "a");
    await deliveries(socket, 1);
    await service.stop();
    expect((await socket.closed).code).toBe(1012);
  });
});
