import { afterEach, beforeEach, expect, test } from "bun:test";
import { cpSync, rmSync } from "node:fs";
import { JetStreamApiError, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { newStream } from "../../src/cluster/stream-config.ts";
import { range } from "../contract/log-driver.ts";
import { Cluster, type Node, until } from "../helpers/cluster.ts";
import { post, publish, publishMany } from "../helpers/http.ts";
import type { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";
import { TempFolder } from "../helpers/temp.ts";
import { historyOf } from "./model/verdict.ts";

describeWith("nats-server", "a node whose stream", () => {
  let cluster: Cluster;
  let server: NatsServer;
  let nats: NatsConnection;
  let manager: JetStreamManager;

  beforeEach(async () => {
    cluster = await Cluster.start({ nodes: 2, args: ["--max-history", "off"] });
    server = cluster.servers[0] ?? (await Promise.reject(new Error("there is no server")));
    nats = await connect({ servers: server.url, maxReconnectAttempts: -1 });
    manager = await jetstreamManager(nats);
    for (const n of range(1, 5)) await publish(cluster.node(0).url, "a", n);
    await cluster.agreed();
  });
  afterEach(async () => {
    await nats.close();
    await cluster[Symbol.asyncDispose]();
  });

  test("came back with a shorter log is not ready, and keeps its file as it is", async () => {
    using copy = new TempFolder();
    await server.kill();
    cpSync(server.folder, copy.path, { recursive: true });
    await server.start();
    await cluster.ready();
    await publish(cluster.node(0).url, "a", 6);
    await server.kill();
    rmSync(server.folder, { recursive: true });
    cpSync(copy.path, server.folder, { recursive: true });
    await server.start();
    for (const node of cluster.nodes) await expectUnready(node, /stream ends at entry 5\b.* entry 6\b/);
    await expectIdle(cluster.node(0), 6);
  });

  test.each([
    ["below", 0],
    ["equal to", 5],
    ["above", 9],
  ])("was made again, with a last entry %s its place, is not ready", async (_, entries) => {
    await cluster.node(0).stop();
    await remake(entries);
    await cluster.node(0).start();
    for (const node of cluster.nodes) await expectUnready(node, /another stream/);
    await expectIdle(cluster.node(1), 5);
  });

  test("is gone does not make it again", async () => {
    await manager.streams.delete("eventbus");
    for (const node of cluster.nodes) await expectUnready(node, /NATS has no stream eventbus/);
    await expectIdle(cluster.node(0), 5);
  });

  test("has removed what it needs starts from the copy of another node", async () => {
    await cluster.node(1).stop();
    for (const n of range(6, 10)) await publish(cluster.node(0).url, "a", n);
    await forgetAllBut(1);
    await cluster.node(1).start();
    expect(await cluster.agreed()).toBe(10);
    expect(await historyOf(cluster.node(1))).toEqual(await historyOf(cluster.node(0)));
  });

  test("has removed its first entries is joined by a new node, from the copy of another one", async () => {
    await forgetAllBut(1);
    const node = await cluster.addNode();
    expect(await cluster.agreed()).toBe(5);
    expect(await historyOf(node)).toEqual(await historyOf(cluster.node(0)));
  });

  test("has a backlog of 100,000 events gets them all, though its consumer vanishes again and again", async () => {
    await cluster.node(1).stop();
    const many = range(1, 5000).map((data) => ({ topic: "b", data }));
    for (let batch = 0; batch < 20; batch++) await publishMany(cluster.node(0).url, many);
    await cluster.node(1).start();
    const isDone = cluster.agreed();
    let removed = 0;
    for (let isOver = false; !isOver; ) {
      isOver = await Promise.race([isDone.then(() => true), Bun.sleep(30).then(() => false)]);
      for await (const { name } of manager.consumers.list("eventbus")) {
        if (await manager.consumers.delete("eventbus", name).catch(() => false)) removed++;
      }
    }
    expect(await isDone).toBe(100_005);
    expect(removed).toBeGreaterThan(1);
    expect(await hashOf(cluster.node(1))).toBe(await hashOf(cluster.node(0)));
  });

  test("holds an entry of a newer version is not ready, and says so", async () => {
    await jetstream(nats).publish("eventbus.entries", new Uint8Array([200, 1, 2]));
    for (const node of cluster.nodes) await expectUnready(node, /newer eventbus/);
    await expectIdle(cluster.node(0), 5);
  });

  /** Requires that the node keeps its history, and adds nothing to it or to the stream. */
  async function expectIdle(node: Node, events: number): Promise<void> {
    const before = await lastEntry();
    const answer = await post(node.url, { topic: "a" });
    expect([answer.status, answer.headers.has("Retry-After")]).toEqual([503, true]);
    expect(await historyOf(node)).toHaveLength(events);
    expect(await lastEntry()).toBe(before);
  }

  /** The number of the newest entry; undefined if there is no stream. */
  async function lastEntry(): Promise<number | undefined> {
    for (;;) {
      try {
        return (await manager.streams.info("eventbus")).state.last_seq;
      } catch (error) {
        if (error instanceof JetStreamApiError) return undefined;
      }
    }
  }

  /** Deletes the stream and makes it again, with invalid entries. */
  async function remake(entries: number): Promise<void> {
    await manager.streams.delete("eventbus");
    await manager.streams.add(newStream("eventbus", 1));
    for (let count = 0; count < entries; count++) await jetstream(nats).publish("eventbus.entries", "entry");
  }

  /** Lets the stream's own limits remove its oldest entries. */
  async function forgetAllBut(entries: number): Promise<void> {
    const { config } = await manager.streams.info("eventbus");
    await manager.streams.update("eventbus", { ...config, max_msgs: entries });
    await manager.streams.update("eventbus", config);
    const { state } = await manager.streams.info("eventbus");
    expect(state.messages).toBe(entries);
  }
});

/**
 * Waits until a node is not ready for this reason. Before it knows all tokens, it gives strangers no reason; then its
 * log does.
 */
async function expectUnready(node: Node, reason: RegExp): Promise<void> {
  await until(`the node was not unready for the reason ${reason}`, async () => {
    const answer = await node.ask("/readyz");
    return answer.status === 503 && (reason.test(await answer.text()) || reason.test(node.said));
  });
}

async function hashOf(node: Node): Promise<string> {
  return new Bun.CryptoHasher("sha256").update((await historyOf(node)).join("\n")).digest("hex");
}
