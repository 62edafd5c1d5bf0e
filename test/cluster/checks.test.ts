import { expect, test } from "bun:test";
import { jetstreamManager, type StreamConfig, type StreamInfo } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { BusError } from "../../src/bus/errors.ts";
import { type PrepareOptions, prepareStream } from "../../src/cluster/checks.ts";
import { clusterSettingsOf } from "../../src/cluster/settings.ts";
import { misfits, newStream } from "../../src/cluster/stream-config.ts";
import { syncStates } from "../../src/cluster/sync-check.ts";
import { readConfig } from "../../src/config.ts";
import { NatsCluster } from "../helpers/nats-cluster.ts";
import { NatsServer } from "../helpers/nats-server.ts";
import { describeWith } from "../helpers/requires.ts";

describeWith("nats-server", "the stream of a cluster", () => {
  test("is created when it is missing, and then left as it is", async () => {
    await using client = await connected(await NatsServer.start());
    const created = await client.prepare();
    expect(created.config).toMatchObject({ subjects: ["eventbus.entries"], deny_purge: true, deny_delete: true });
    expect((await client.prepare()).created).toBe(created.created);
  });

  test("is created once by nodes that start together", async () => {
    await using client = await connected(await NatsServer.start());
    const infos = await Promise.all(Array.from({ length: 5 }, () => client.prepare()));
    expect(new Set(infos.map(({ created }) => created)).size).toBe(1);
  });

  test("is not created by a node that has a history", async () => {
    await using client = await connected(await NatsServer.start());
    await expect(client.prepare({ mayCreate: false })).rejects.toThrow("NATS has no stream eventbus");
  });

  test.each([
    [{ deny_purge: false }, "deny_purge is false, but must be true (nats stream edit eventbus --deny-purge)"],
    [{ subjects: ["a", "b"] }, 'subjects is ["a","b"], but must be ["eventbus.entries"]'],
    [{ storage: "memory" as const }, "storage is memory, but must be file (cannot be changed"],
    [{ retention: "workqueue" as const }, "retention is workqueue, but must be limits"],
    [{ duplicate_window: 60e9 }, "duplicate_window is 60 s, but must be 10 minutes"],
    [{ max_age: 600e9 }, "max_age is 600 s, but must be at least 1 hour"],
    [{ max_msgs: 10 }, "max_msgs is 10, but must be at least 100000"],
    [{ deny_delete: false, max_bytes: 5000 }, "deny_delete is false, but must be true (nats stream edit"],
    [{ deny_delete: false, max_bytes: 5000 }, "max_bytes is 5000, but must be at least 1 GiB"],
  ])("with %j is rejected", async (member, words) => {
    await using client = await connected(await NatsServer.start());
    await client.make({ ...newStream("eventbus", 1), ...member });
    await expect(client.prepare()).rejects.toThrow(words);
  });

  test("with a setting that only later servers know is rejected", () => {
    const config = { ...newStream("eventbus", 1), allow_msg_ttl: true } as StreamConfig;
    expect(misfits(config, 1)).toEqual([expect.stringContaining("allow_msg_ttl is set, but must be off")]);
  });

  test("may have larger limits of its own", async () => {
    await using client = await connected(await NatsServer.start());
    await client.make({ ...newStream("eventbus", 1), max_bytes: 2 ** 31, max_age: 0, description: "ours" });
    expect((await client.prepare()).config.max_bytes).toBe(2 ** 31);
  });

  test("is not created with more replicas than servers", async () => {
    await using client = await connected(await NatsServer.start());
    await expect(client.prepare({ clusterReplicas: 3 })).rejects.toThrow(
      "--cluster-replicas 3 needs as many NATS servers",
    );
  });

  test("has its replicas on a cluster, and is rejected with another number of them", async () => {
    await using cluster = await NatsCluster.start();
    await using client = await connected(...cluster.servers);
    expect((await client.prepare({ clusterReplicas: 3 })).config.num_replicas).toBe(3);
    await expect(client.prepare({ clusterReplicas: 1 })).rejects.toThrow("num_replicas is 3, but must be 1");
  });
});

describeWith("nats-server", "a NATS server", () => {
  test("without JetStream for the account is rejected", async () => {
    await using client = await connected(await NatsServer.start({ config: "accounts { $SYS {}, A { users: [] } }" }));
    await expect(client.prepare()).rejects.toThrow("JetStream is not enabled for this account of NATS");
  });

  test("that has no JetStream at all is rejected", async () => {
    await using client = await connected(await NatsServer.start({ hasJetStream: false }));
    await expect(client.prepare()).rejects.toThrow("JetStream is not enabled on the NATS server");
  });

  test("that is too old to sync before it acknowledges is rejected", async () => {
    await using client = await connected(await NatsServer.start());
    const info = { ...client.nats.info, version: "2.9.25" };
    const old = new Proxy(client.nats, { get: (nats, key) => (key === "info" ? info : Reflect.get(nats, key, nats)) });
    await expect(prepareStream(old, client.options())).rejects.toThrow("has version 2.9.25, which cannot sync to disk");
  });

  test("reports on its monitoring port when it syncs", async () => {
    await using always = await NatsServer.start();
    await using seldom = await NatsServer.start({ syncInterval: "2m" });
    await using gone = new NatsServer();
    const urls = [always, seldom, gone].map(({ monitorUrl }) => monitorUrl);
    expect(await syncStates(urls, fetch)).toMatchObject([
      { state: "always" },
      { state: "seldom", interval: "120 s" },
      { state: "unknown" },
    ]);
  });
});

/** A client, which disposes of the servers too. */
async function connected(...servers: readonly NatsServer[]) {
  const nats = await connect({ servers: servers.map(({ url }) => url) });
  const options = (overrides: { mayCreate?: boolean; clusterReplicas?: number } = {}): PrepareOptions => {
    const { mayCreate = true, ...config } = overrides;
    const settings = clusterSettingsOf({ ...readConfig({}, {}), cluster: ["nats://a"], clusterReplicas: 1, ...config });
    if (settings === undefined) throw new Error("there is no cluster in these settings");
    return { settings, mayCreate };
  };
  return {
    nats,
    options,
    /** Tries again while nothing is known yet, as the nodes do. */
    async prepare(overrides?: Parameters<typeof options>[0]): Promise<StreamInfo> {
      for (;;) {
        try {
          return await prepareStream(nats, options(overrides));
        } catch (error) {
          if (error instanceof BusError) throw error;
        }
      }
    },
    make: async (config: ReturnType<typeof newStream>) => (await jetstreamManager(nats)).streams.add(config),
    async [Symbol.asyncDispose]() {
      await nats.close();
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}
