import { describe, expect, test } from "bun:test";
import { type ServeSubscribeOptions, serveSubscribe } from "../../src/http/serve-subscribe.ts";
import type { Bus } from "../../src/index.ts";
import { expectProblem } from "../helpers/http.ts";
import { openMemoryBus, publishCounted } from "../helpers/memory-bus.ts";
import { RawSubscriber } from "../helpers/raw-web-socket.ts";
import { TestSocket } from "../helpers/socket.ts";

/** A server of the user's own, on a free port, that does nothing but `serveSubscribe`. */
function serve(bus: Bus, options?: ServeSubscribeOptions) {
  const handler = serveSubscribe(bus, console, options);
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", ...handler });
  const url = server.url.href.replace(/\/$/, "");
  return { url, handler, server, [Symbol.asyncDispose]: () => server.stop(true) };
}

describe("serveSubscribe", () => {
  test("makes the user's own server serve subscriptions, at any path", async () => {
    await using memory = openMemoryBus();
    await using own = serve(memory.bus);
    using socket = await TestSocket.open(own.url, "pattern=a.*");
    await memory.bus.publish("b", 1);
    const event = await memory.bus.publish("a.b", { n: 1 });
    expect(await socket.next()).toBe(event.json);
  });

  test("replays by since and last", async () => {
    await using memory = openMemoryBus();
    await using own = serve(memory.bus);
    await publishCounted(memory.bus, 3);
    using socket = await TestSocket.open(own.url, "last=1");
    expect(await socket.nextJson()).toMatchObject({ id: 3 });
    expect(await socket.nextJson()).toEqual({ type: "caught_up", id: 3 });
  });

  test("takes frames, so that a socket can publish too", async () => {
    await using memory = openMemoryBus();
    await using own = serve(memory.bus);
    using socket = await TestSocket.open(own.url, "pattern=none");
    expect(await socket.ask({ type: "publish", topic: "a" })).toMatchObject({ type: "ack", event: { id: 1 } });
  });

  test("reports what is wrong with a request before the upgrade", async () => {
    await using memory = openMemoryBus();
    await using own = serve(memory.bus, { maxPatterns: 1 });
    await expectProblem(await fetch(`${own.url}/?pattern=%5B`), "pattern_invalid");
    await expectProblem(await fetch(`${own.url}/?pattern=a&pattern=b`), "parameter_invalid");
    await expectProblem(await fetch(own.url), "upgrade_required");
  });

  test("accepts at most the configured number of sockets", async () => {
    await using memory = openMemoryBus();
    await using own = serve(memory.bus, { maxConnections: 1 });
    using _first = await RawSubscriber.open(own.url);
    expect(RawSubscriber.open(own.url)).rejects.toThrow("503");
    await RawSubscriber.open(own.url).catch(() => {});
  });

  test("closes with 1012 when it is stopped, and accepts no more", async () => {
    await using memory = openMemoryBus();
    await using own = serve(memory.bus);
    using socket = await TestSocket.open(own.url);
    own.handler.close();
    expect((await socket.closed).code).toBe(1012);
    expect(RawSubscriber.open(own.url)).rejects.toThrow("503");
    await RawSubscriber.open(own.url).catch(() => {});
  });

  test("disconnects a peer that reads nothing, so that the server can stop", async () => {
    await using memory = openMemoryBus();
    const handler = serveSubscribe(memory.bus, console);
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", ...handler });
    using stuck = await RawSubscriber.open(server.url.href.replace(/\/$/, ""));
    stuck.pause();
    // More than the kernels' buffers hold.
    for (let megabytes = 0; megabytes < 10; megabytes++) await memory.bus.publish("a", "x".repeat(1_000_000));
    handler.close();
    await server.stop();
    expect(server.pendingWebSockets).toBe(0);
  });

  test("serves two servers at a time from one handler", async () => {
    await using memory = openMemoryBus();
    const handler = serveSubscribe(memory.bus, console);
    const servers = [1, 2].map(() => Bun.serve({ port: 0, hostname: "127.0.0.1", ...handler }));
    const urls = servers.map((server) => server.url.href.replace(/\/$/, ""));
    const sockets = await Promise.all(urls.map((url) => TestSocket.open(url)));
    const event = await memory.bus.publish("a", null);
    expect(await Promise.all(sockets.map((socket) => socket.next()))).toEqual([event.json, event.json]);
    handler.close();
    await Promise.all(servers.map((server) => server.stop(true)));
  });

  test("reports an unexpected error to its logger, and no detail to the client", async () => {
    await using memory = openMemoryBus();
    memory.bus.openGroups = () => {
      throw new Error("the disk is gone");
    };
    const logged: unknown[] = [];
    const handler = serveSubscribe(memory.bus, { error: (...words) => void logged.push(...words) });
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", ...handler });
    const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" };
    const response = await fetch(server.url, { headers });
    expect(JSON.stringify(await expectProblem(response, "internal"))).not.toContain("disk");
    expect(String(logged[1])).toContain("the disk is gone");
    handler.close();
    await server.stop(true);
  });
});
