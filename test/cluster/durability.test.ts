import { expect, test } from "bun:test";
import { Cluster, until } from "../helpers/cluster.ts";
import { describeWith } from "../helpers/requires.ts";

describeWith("nats-server", "a node that promises that what it acknowledges is on disk", () => {
  test("is not ready where NATS is seen to acknowledge before it syncs", async () => {
    await using cluster = await Cluster.start({ nodes: 0, nats: { syncInterval: "2m" } });
    const [nats] = cluster.servers;
    const monitored = await cluster.addNode({ args: ["--cluster-monitor", nats?.monitorUrl ?? ""] });
    await until("it does not say why", async () => monitored.said.includes("set sync_interval: always"));
    expect((await monitored.ask("/readyz")).status).toBe(503);
    const modest = await cluster.addNode({
      args: ["--cluster-monitor", nats?.monitorUrl ?? "", "--durability", "os"],
    });
    await modest.ready();
  });

  test("is ready where NATS is seen to sync, and says so where that cannot be seen", async () => {
    await using cluster = await Cluster.start({ nodes: 0 });
    const [nats] = cluster.servers;
    const monitored = await (await cluster.addNode({ args: ["--cluster-monitor", nats?.monitorUrl ?? ""] })).ready();
    expect(monitored.said).not.toContain("syncs before it acknowledges");
    const blind = await (await cluster.addNode()).ready();
    expect(blind.said).toContain("without --cluster-monitor it is unknown whether NATS syncs");
  });

  test("warns of a NATS that accepts less than an NDJSON body", async () => {
    await using cluster = await Cluster.start({ nodes: 1, nats: { maxPayload: "1MB" } });
    expect(cluster.node(0).said).toContain("set max_payload: 16MB");
  });
});
