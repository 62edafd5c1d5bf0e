import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Event } from "../../src/bus/event.ts";
import { publish, publishMany } from "../helpers/http.ts";
import { until } from "../helpers/inbox.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { StreamSubscriber } from "../helpers/raw-stream.ts";
import { describeWith } from "../helpers/requires.ts";
import { startService, type TestService } from "../helpers/service.ts";
import { TestSocket } from "../helpers/socket.ts";

describeWith("nats-server", "on a node, a cursor that another node has given", () => {
  let nats: NatsServer;
  let node: TestService;

  beforeAll(async () => {
    nats = await NatsServer.start({ syncInterval: "10s" });
    node = await startService({ cluster: [nats.url], clusterReplicas: 1 });
    await until(async () => (await fetch(`${node.url}/readyz`)).ok);
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    await nats[Symbol.asyncDispose]();
  });

  /** Publishes some events, up to a place three ids beyond the returned one. */
  async function beyond(): Promise<{ cursor: number; reach: () => Promise<void> }> {
    const { id } = await publish(node.url, "a");
    const reach = async () => {
      await publishMany(
        node.url,
        ["a", "b", "a", "a", "b", "a"].map((topic) => ({ topic })),
      );
    };
    return { cursor: id + 3, reach };
  }

  test("waits on a WebSocket, and continues after it", async () => {
    const { cursor, reach } = await beyond();
    using socket = await TestSocket.open(node.url, `pattern=a&since=${cursor}`);
    await reach();
    expect(await socket.nextJson()).toMatchObject({ id: cursor + 1, topic: "a" });
    expect(await socket.nextJson()).toMatchObject({ id: cursor + 3, topic: "a" });
    expect(await socket.nextJson()).toEqual({ type: "caught_up", id: cursor + 3 });
    await publish(node.url, "a");
    expect(await socket.nextJson()).toMatchObject({ id: cursor + 4 });
  });

  test("waits on a stream that resumes", async () => {
    const { cursor, reach } = await beyond();
    using stream = await StreamSubscriber.open(node.url, { headers: [`Last-Event-ID: ${cursor}`] });
    await reach();
    expect(await stream.nextJson()).toMatchObject({ id: cursor + 1 });
    expect(await stream.nextJson()).toMatchObject({ id: cursor + 2 });
  });

  test("waits in the library", async () => {
    const { cursor, reach } = await beyond();
    const seen: Event[] = [];
    await using subscriber = node.bus.subscribe("*", { since: cursor });
    const reading = (async () => {
      for await (const event of subscriber) if (seen.push(event) === 3) return;
    })();
    await reach();
    await reading;
    expect(seen.map(({ id }) => id)).toEqual([cursor + 1, cursor + 2, cursor + 3]);
  });

  test("is left by a subscriber that goes before it comes", async () => {
    const { cursor, reach } = await beyond();
    const socket = await TestSocket.open(node.url, `since=${cursor}`);
    socket.close();
    await socket.closed;
    const subscriber = node.bus.subscribe("*", { since: cursor });
    const next = subscriber.next();
    node.bus.unsubscribe(subscriber);
    expect((await next).done).toBe(true);
    await reach();
  });
});
