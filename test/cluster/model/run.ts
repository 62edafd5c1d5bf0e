import { Cluster, until } from "../../helpers/cluster.ts";
import { Random } from "../../model/random.ts";
import { befall, type Disaster, WEIGHTS } from "./disasters.ts";
import { Publisher } from "./publishers.ts";
import { type Reader, readersOf } from "./readers.ts";
import { Record } from "./record.ts";
import { breachOf } from "./verdict.ts";

const PUBLISHERS = 12;
/** The longest pause between two disasters, in milliseconds. */
const MAX_PEACE_MS = 1000;

export interface RunOptions {
  readonly seed: number;
  /** How many disasters there are, or which. */
  readonly disasters: number | readonly Disaster[];
  /** Does something to the cluster after them, while it is quiet. Default: nothing. */
  readonly sabotage?: (cluster: Cluster) => Promise<void>;
  /** What nodes and NATS run until an update replaces it; default: what they run after it. */
  readonly from?: { readonly program: string | undefined; readonly nats: string | undefined };
  /** How long the nodes may take to agree, in milliseconds. Default: a minute. */
  readonly patienceMs?: number;
  /** Called with each disaster as it begins. */
  readonly onDisaster?: (disaster: Disaster) => void;
}

export interface Outcome {
  /** Which promise does not hold; undefined if all do. */
  readonly breach: string | undefined;
  readonly events: number;
  readonly acknowledged: number;
}

/** Publishes and subscribes at all nodes of a cluster, lets disasters befall it, and looks at what is left. */
export async function run({
  seed,
  disasters,
  sabotage,
  from,
  patienceMs,
  onDisaster = () => {},
}: RunOptions): Promise<Outcome> {
  const random = new Random(seed);
  const plan = typeof disasters === "number" ? random.list(disasters, () => random.weighted(WEIGHTS)) : disasters;
  const own = () => new Random(random.whole(0, 2 ** 31));
  await using cluster = await Cluster.start({
    servers: 3,
    args: ["--max-history", "off"],
    program: from?.program,
    nats: { program: from?.nats },
  });
  const record = new Record();
  const readers = readersOf(cluster, own());
  const publishers = Array.from(
    { length: PUBLISHERS },
    (_, index) => new Publisher(`p${index}`, cluster, own(), record),
  );
  for (const disaster of plan) {
    await Bun.sleep(random.whole(0, MAX_PEACE_MS));
    onDisaster(disaster);
    await befall(disaster, { cluster, random });
  }
  await Promise.all(publishers.map((publisher) => publisher.stop()));
  await sabotage?.(cluster);
  // A node that does not get there is named by the verdict.
  const events = await cluster.agreed(patienceMs).catch(() => 0);
  const isDrained = ({ received }: Reader) => received.last >= events || received.breach !== undefined;
  await until("", async () => readers.every(isDrained), patienceMs).catch(() => {});
  await Promise.all(readers.map((reader) => reader.stop()));
  const breach = await breachOf(
    cluster,
    record,
    readers.map(({ received }) => received),
  );
  return { breach, events, acknowledged: record.acknowledged.size };
}
