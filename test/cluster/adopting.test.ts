import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { range } from "../contract/log-driver.ts";
import { Cluster, type Node } from "../helpers/cluster.ts";
import { publishMany } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";
import { historyOf } from "./model/verdict.ts";

/** Each entry is a transaction of its own, which writes the write-ahead log in more than 100 pieces. */
const ENTRIES = 5;
const EVENTS_OF_ENTRY = 3000;
/** The piece at which the node is killed, for each time that it is started. */
const KILLED_AT = [30, 70, 150];

describeWith("nats-server", "a node that is killed", () => {
  describeWith("strace", "while it writes entries of a backlog", (strace) => {
    test("has each event once after its restart, as the other nodes have", async () => {
      await using cluster = await Cluster.start({
        nodes: 2,
        nats: { syncInterval: "10s" },
        args: ["--max-history", "off"],
      });
      const [victim, other] = [cluster.node(0), cluster.node(1)];
      await victim.stop();
      for (const entry of range(1, ENTRIES)) {
        const lines = range(1, EVENTS_OF_ENTRY).map((n) => ({ topic: `a.${n % 7}`, data: [entry, n] }));
        await publishMany(other.url, lines);
      }
      let unfinished = 0;
      for (const piece of KILLED_AT) {
        await startAndKill(strace, victim, piece);
        if (isUnfinished(readFileSync(walOf(victim)))) unfinished++;
      }
      // One of them may have been between two transactions.
      expect(unfinished).toBeGreaterThanOrEqual(KILLED_AT.length - 1);
      await victim.start();
      expect(await cluster.agreed()).toBe(ENTRIES * EVENTS_OF_ENTRY);
      expect(await historyOf(victim)).toEqual(await historyOf(other));
    });
  });
});

function walOf({ folder }: Node): string {
  return join(folder, "eventbus.db-wal");
}

/** Resolves once the node was killed, as it was about to write this piece of its write-ahead log. */
async function startAndKill(strace: string, node: Node, piece: number): Promise<void> {
  const inject = `inject=pwrite64:signal=SIGKILL:when=${piece}`;
  const under = [strace, "-f", "-o", "/dev/null", "-P", walOf(node), "-e", "trace=pwrite64", "-e", inject];
  await node.start({ under }).catch(() => {}); // it may be killed before it listens
  await node.ended();
}

/** Whether the last frames of a write-ahead log of SQLite are those of a transaction that was not committed. */
function isUnfinished(wal: Buffer): boolean {
  const frameBytes = 24 + wal.readUInt32BE(8);
  const salts = wal.subarray(16, 24);
  let isCommit = true;
  for (let at = 32; at + frameBytes <= wal.length; at += frameBytes) {
    if (!wal.subarray(at + 8, at + 16).equals(salts)) break;
    isCommit = wal.readUInt32BE(at + 4) > 0;
  }
  return !isCommit;
}
