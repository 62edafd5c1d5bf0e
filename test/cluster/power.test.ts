import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { range } from "../contract/log-driver.ts";
import { Cluster, until } from "../helpers/cluster.ts";
import { publish } from "../helpers/http.ts";
import { describeWith, leaveOut } from "../helpers/requires.ts";
import { canMount, VolatileDisk } from "../helpers/volatile-disk.ts";
import { historyOf } from "./model/verdict.ts";

const EVENTS = 300;

// NATS and the node lose what they have not synced, at the same moment, in the middle of publishing.
describeWith("nats-server", "when the power fails", () => {
  if (!canMount) leaveOut("when the power fails", "root, and mkfs.ext4");
  describe.skipIf(!canMount)("of a disk", () => {
    test("what was acknowledged is there, if NATS syncs before it acknowledges", async () => {
      using disk = new VolatileDisk();
      await using cluster = await Cluster.start({ nodes: 0, nats: { folder: join(disk.path, "nats") } });
      const acknowledged = await failInTheMiddle(cluster, disk);
      await cluster.ready();
      const values = (await historyOf(cluster.node(0))).map((line) => JSON.parse(line).data);
      expect(acknowledged.length).toBeGreaterThanOrEqual(EVENTS / 2);
      expect(acknowledged.filter((value) => values.filter((one) => one === value).length !== 1)).toEqual([]);
      expect(await publish(cluster.node(0).url, "a", "next")).toMatchObject({ id: values.length + 1 });
    });

    test("it is lost if NATS does not, and the test sees that", async () => {
      using disk = new VolatileDisk();
      const nats = { folder: join(disk.path, "nats"), syncInterval: "2m" };
      await using cluster = await Cluster.start({ nodes: 0, nats });
      const acknowledged = await failInTheMiddle(cluster, disk);
      const node = cluster.node(0);
      await until("the node knows whether it is ready", async () => {
        return (await node.ask("/readyz")).ok || /NATS has no stream|stream ends at/.test(node.said);
      });
      const isReady = (await node.ask("/readyz")).ok;
      const values = isReady ? (await historyOf(node)).map((line) => JSON.parse(line).data) : [];
      expect(acknowledged.filter((value) => !values.includes(value))).not.toEqual([]);
    });
  });
});

/** Resolves with the values that were acknowledged before the power failed, once all is started again. */
async function failInTheMiddle(cluster: Cluster, disk: VolatileDisk): Promise<readonly number[]> {
  const node = await (await cluster.addNode({ folder: disk.path })).ready();
  const acknowledged: number[] = [];
  const enough = Promise.withResolvers<void>();
  const attempts = range(1, EVENTS).map(async (n) => {
    await Bun.sleep(n);
    await publish(node.url, "a", n);
    acknowledged.push(n);
    if (acknowledged.length === EVENTS / 2) enough.resolve();
  });
  // Those that are under way when the power fails are rejected.
  const published = Promise.allSettled(attempts);
  await enough.promise;
  node.signal("SIGSTOP");
  for (const server of cluster.servers) server.freeze();
  const before = [...acknowledged];
  await disk.cutPower(async () => {
    await Promise.all([node.kill(), ...cluster.servers.map((server) => server.kill())]);
  });
  await published;
  await Promise.all(cluster.servers.map((server) => server.start()));
  await node.start();
  return before;
}
