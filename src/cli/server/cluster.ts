import { existsSync } from "node:fs";
import { Command } from "commander";
import { BusError } from "../../bus/errors.ts";
import type { ClusterStats } from "../../client/index.ts";
import { connectToNats } from "../../cluster/connection.ts";
import { importHistory } from "../../cluster/import.ts";
import { type ClusterSettings, clusterSettingsOf } from "../../cluster/settings.ts";
import { SqliteEventLog } from "../../store/event-log.ts";
import { type ConnectionOptions, connectTo, withConnection } from "../connection.ts";
import { outputOption } from "../history.ts";
import { print } from "../terminal/output.ts";
import { Table } from "../terminal/table.ts";
import { settingsOf, withSettings } from "./settings.ts";

/** How long an import waits for NATS, in milliseconds. */
const CONNECT_MS = 15_000;

const STATUS_EXAMPLES = `
Asks one node, which knows the others by what they announce. Exits with 1 if
the node is not connected to NATS.

Example:
  $ eventbus cluster status --url http://127.0.0.1:9800`;

const IMPORT_EXAMPLES = `
For a new cluster only: its stream must be empty. No server may be using the
file. Ids, idempotency keys and tokens stay as they are. Afterwards, start a
node with this file; nodes that start without a file copy the history from it.

Example:
  $ eventbus cluster import eventbus.db --cluster nats://127.0.0.1:4222`;

/** The commands for clusters. */
export function clusterCommand(): Command {
  const command = new Command("cluster").description("show the state of a cluster, or begin one with a history");
  return command.addCommand(statusCommand()).addCommand(importCommand());
}

function statusCommand(): Command {
  const command = new Command("status")
    .description("list the nodes of a cluster, and how far behind each one is")
    .addOption(outputOption())
    .addHelpText("after", STATUS_EXAMPLES);
  return withConnection(command).action(async (flags: ConnectionOptions & { output?: "json" | "table" }) => {
    const { cluster } = await connectTo(flags).stats();
    if (cluster === undefined) throw new BusError("unavailable", "the server is not a node of a cluster");
    const isTable = (flags.output ?? (process.stdout.isTTY ? "table" : "json")) === "table";
    await print(isTable ? tableOf(cluster) : `${JSON.stringify(cluster)}\n`);
    if (!cluster.connected) throw new BusError("unavailable", "the node is not connected to NATS");
  });
}

function tableOf({ node: self, nodes }: ClusterStats): string {
  const rows = nodes.map(({ node, place, behind }) => [
    node === self ? `${node} (asked)` : node,
    String(place),
    String(behind),
  ]);
  return new Table("NODE", "PLACE", "BEHIND").text(rows);
}

function importCommand(): Command {
  const command = withSettings(
    new Command("import")
      .description("begin a cluster with the history of a single node")
      .argument("<file>", "history file of the single node")
      .addHelpText("after", IMPORT_EXAMPLES),
  );
  return command.action(async (file: string) => {
    const settings = clusterSettingsOf(settingsOf(command).config);
    if (settings === undefined) throw new BusError("parameter_invalid", "--cluster is missing: name the NATS servers");
    if (!existsSync(file)) throw new BusError("unavailable", `there is no file ${file}`);
    const mirror = new SqliteEventLog(file, { isMirror: true });
    try {
      const connection = await connectWithin(settings, CONNECT_MS);
      try {
        await importHistory(connection, { settings, mirror, clock: Date.now });
      } finally {
        await connection.close();
      }
      const kept = mirror.head - mirror.floor + 1;
      process.stdout.write(
        `the cluster ${settings.name} begins with ${file}: ${kept} events, up to id ${mirror.head}\n`,
      );
    } finally {
      await mirror.close();
    }
  });
}

async function connectWithin(settings: ClusterSettings, ms: number) {
  let reason = "it does not respond";
  const onFailure = (why: string) => {
    reason = why;
  };
  try {
    return await connectToNats(settings, { node: "import", onFailure, signal: AbortSignal.timeout(ms) });
  } catch (error) {
    throw new BusError("unavailable", `NATS cannot be reached: ${reason}`, { cause: error });
  }
}
