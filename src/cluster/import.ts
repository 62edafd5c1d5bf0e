import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { BusError } from "../bus/errors.ts";
import type { Change, Entry, EventLog, MirrorLog } from "../bus/ports.ts";
import { prepareStream } from "./checks.ts";
import { decodeEntry, encodeEntry } from "./codec.ts";
import type { ClusterSettings } from "./settings.ts";
import { stateOf } from "./stream.ts";
import { subjectOf } from "./stream-config.ts";

export interface ImportOptions {
  readonly settings: ClusterSettings;
  /** The history of a single node, which becomes that of the cluster's first node. */
  readonly mirror: MirrorLog;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/**
 * Begins a cluster with the history of a single node: its first entry says which history was there before, and the file
 * gets the place of that entry. Ids stay as they are; other nodes start from a copy of it.
 *
 * May be repeated after it was interrupted. Throws `unavailable`, and changes nothing, if the stream has entries that
 * are not from this import, or the file belongs to a cluster already.
 */
export async function importHistory(
  connection: NatsConnection,
  { settings, mirror, clock }: ImportOptions,
): Promise<void> {
  if (mirror.place !== undefined) throw new BusError("unavailable", "the file belongs to a node of a cluster already");
  await mirror.ready();
  const info = await prepareStream(connection, { settings, mayCreate: true });
  const { createdS, createdNs, first, last } = stateOf(info);
  const origin = originOf(mirror);
  const entry: Entry = {
    node: `import-${crypto.randomUUID()}`,
    number: 1,
    atMs: Math.trunc(clock()),
    changes: [origin],
  };
  if (last === 0) {
    // Only if the stream is still empty: a node may have begun to publish.
    await jetstream(connection).publish(subjectOf(settings.name), encodeEntry(entry), {
      msgID: `import-${settings.name}`,
      expect: { lastSequence: 0 },
    });
  } else if (first > 1 || !(await beginsWith(connection, settings.name, origin))) {
    throw new BusError(
      "unavailable",
      `the stream ${settings.name} has entries already: import into a new cluster, with another --cluster-name`,
    );
  }
  mirror.adopt([entry], { sequence: 1, createdS, createdNs });
}

/** Whether the first entry is that of an import of this very history. */
async function beginsWith(connection: NatsConnection, name: string, origin: Change): Promise<boolean> {
  const { streams } = await jetstreamManager(connection, { checkAPI: false });
  const message = await streams.getMessage(name, { seq: 1 });
  return message !== null && Bun.deepEquals(decodeEntry(message.data).changes, [origin]);
}

function originOf(log: EventLog): Change {
  const newest = log.get(log.head);
  const hash = newest === undefined ? "" : new Bun.CryptoHasher("sha256").update(newest.json).digest("hex");
  return { kind: "origin", head: log.head, hash };
}
