import { JetStreamApiError, type JetStreamManager, jetstreamManager, type StreamInfo } from "@nats-io/jetstream";
import { errors, type NatsConnection, type ServerInfo } from "@nats-io/transport-node";
import { BusError } from "../bus/errors.ts";
import type { ClusterSettings } from "./settings.ts";
import { misfits, newStream } from "./stream-config.ts";

/** The first version that can sync before it acknowledges. */
const OLDEST = { major: 2, minor: 10 };

/** Error codes of JetStream, `err_code` in its answers. */
const STREAM_NOT_FOUND = 10059;
const NAME_IN_USE = 10058;
const NOT_ENABLED = new Set([10039, 10076]); // for the account, on the server
/** There are fewer servers than replicas. */
const TOO_FEW_SERVERS = new Set([10005, 10074]);

/**
 * A leader that has not heard a majority of its replicas for this long, in nanoseconds, stores nothing: it is cut off
 * from them. They respond every second. The leader itself notices after 10 to 20 seconds.
 */
const SILENT_NS = 8e9;

export interface PrepareOptions {
  readonly settings: ClusterSettings;
  /** Whether a missing stream may be created: not by a node that has a history. */
  readonly mayCreate: boolean;
}

/**
 * Verifies the server and the stream, and creates the stream if it is missing.
 *
 * Throws `unavailable`, with everything that must be changed, if they do not fit; another error if that is not known
 * yet, as while a NATS cluster elects its leader.
 */
export async function prepareStream(
  connection: NatsConnection,
  { settings, mayCreate }: PrepareOptions,
): Promise<StreamInfo> {
  requireVersion(connection.info);
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const info = await found(connection, async () => {
    return (await findStream(manager, settings.name)) ?? (await createStream(manager, settings, mayCreate));
  });
  const differences = misfits(info.config, settings.replicas);
  if (differences.length === 0) {
    requireMajority(info);
    return info;
  }
  throw unfit(`the stream ${settings.name} of NATS does not fit: ${differences.join("; ")}`);
}

/** What a user should know about a server that can be used; undefined: nothing. */
export function payloadWarning(info: ServerInfo | undefined, largestBodyBytes: number): string | undefined {
  if (info === undefined || info.max_payload > largestBodyBytes) return undefined;
  return (
    `NATS takes at most ${info.max_payload} bytes at a time, less than the ${largestBodyBytes} of an NDJSON body: ` +
    "larger ones are rejected with 413; set max_payload: 16MB in its configuration"
  );
}

function requireMajority({ config, cluster }: StreamInfo): void {
  const silent = (cluster?.replicas ?? []).filter(({ offline, active }) => offline === true || active > SILENT_NS);
  if (silent.length * 2 < config.num_replicas) return;
  throw new Error(`the leader of the stream has lost ${silent.map(({ name }) => name).join(" and ")}`);
}

/** JetStream does not respond without a leader either, but then the server still reports that it has JetStream. */
async function found(connection: NatsConnection, find: () => Promise<StreamInfo>): Promise<StreamInfo> {
  try {
    return await find();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const hasNoResponders = cause instanceof errors.RequestError && cause.isNoResponders();
    if (!hasNoResponders || connection.info?.jetstream === true) throw error;
    throw unfit(
      `JetStream is not enabled on the NATS server ${connection.info?.server_name}: add jetstream {} to its configuration`,
    );
  }
}

function requireVersion(info: ServerInfo | undefined): void {
  const [, major = "", minor = ""] = /^(\d+)\.(\d+)\./.exec(info?.version ?? "") ?? [];
  if (info === undefined || Number(major) > OLDEST.major) return;
  if (Number(major) === OLDEST.major && Number(minor) >= OLDEST.minor) return;
  throw unfit(
    `the NATS server ${info.server_name} has version ${info.version}, which cannot sync to disk before it ` +
      `acknowledges: update it to ${OLDEST.major}.${OLDEST.minor} or later`,
  );
}

async function findStream({ streams }: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await streams.info(name);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return undefined;
    throw inWords(error);
  }
}

async function createStream(
  manager: JetStreamManager,
  { name, replicas }: ClusterSettings,
  mayCreate: boolean,
): Promise<StreamInfo> {
  if (!mayCreate) {
    throw unfit(
      `NATS has no stream ${name}, but this node has a history from it: restore the stream from a backup of NATS, or ` +
        "begin another cluster with eventbus cluster import",
    );
  }
  try {
    return await manager.streams.add(newStream(name, replicas));
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw inWords(error);
    // Another node was faster, with other settings.
    if (error.code === NAME_IN_USE) return await manager.streams.info(name);
    if (!TOO_FEW_SERVERS.has(error.code)) throw inWords(error);
    throw unfit(
      `--cluster-replicas ${replicas} needs as many NATS servers with JetStream in one cluster: start them, or give ` +
        `--cluster-replicas 1 (${error.message})`,
    );
  }
}

/** What a user can change, as a `BusError`; other errors as they are. */
function inWords(error: unknown): unknown {
  // The client uses the same class for servers that do not respond, as without a leader; only the cause differs.
  const answer = error instanceof Error && error.cause instanceof JetStreamApiError ? error.cause : error;
  if (!(answer instanceof JetStreamApiError) || !NOT_ENABLED.has(answer.code)) return error;
  return unfit(
    "JetStream is not enabled for this account of NATS: add jetstream {} to the configuration of the server",
  );
}

function unfit(detail: string): BusError {
  return new BusError("unavailable", detail);
}
