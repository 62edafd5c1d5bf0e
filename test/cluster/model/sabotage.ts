import { Database } from "bun:sqlite";
import { join } from "node:path";
import { type Cluster, until } from "../../helpers/cluster.ts";
import { publish } from "../../helpers/http.ts";

/** Makes a node skip an entry that the others adopt. */
export async function skipAnEntry(cluster: Cluster): Promise<void> {
  const [victim, other] = [cluster.node(0), cluster.node(1)];
  await victim.stop();
  await publish(other.url, "topic.0", { value: "sabotage" });
  await publish(other.url, "topic.0", { value: "sabotage" });
  movePlace(victim.folder, 1);
  await victim.start();
  await until("the node has not followed", async () => (await victim.ask("/readyz")).ok);
}

/** Makes a node adopt an entry that it has already adopted. */
export async function adoptAgain(cluster: Cluster): Promise<void> {
  const victim = cluster.node(0);
  await victim.stop();
  movePlace(victim.folder, -1);
  forgetWriters(victim.folder);
  await victim.start();
  await until("the node has not followed", async () => (await victim.ask("/readyz")).ok);
}

function movePlace(folder: string, by: number): void {
  using database = new Database(join(folder, "eventbus.db"));
  const name = "stream_place";
  const { value } = database.query<{ value: number }, [string]>("select value from meta where name = ?").get(name) ?? {
    value: 0,
  };
  const checksum = Bun.hash.crc32(`${name}=${value + by}`);
  database.run("update meta set value = ?, checksum = ? where name = ?", [value + by, checksum, name]);
}

/** Removes what would recognise the entry as a repeat. */
function forgetWriters(folder: string): void {
  using database = new Database(join(folder, "eventbus.db"));
  database.run("delete from entry_writer");
  database.run("update meta set value = 0, checksum = ? where name = 'writers'", [Bun.hash.crc32("writers=0")]);
}
