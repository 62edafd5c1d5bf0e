import type { TokenStore } from "./bus/access/token-record.ts";
import type { ConsumerStore } from "./bus/consumers/ports.ts";
import type { Meter } from "./bus/meter.ts";
import type { EventLog, LogFigures } from "./bus/ports.ts";
import { Cluster } from "./cluster/cluster.ts";
import { type ClusterSettings, clusterSettingsOf } from "./cluster/settings.ts";
import { type Config, NDJSON_FACTOR } from "./config.ts";
import { isLoopbackName } from "./http/access/host.ts";
import type { MakeCopy } from "./http/routes/backup.ts";
import { type Logger, onChange } from "./log.ts";
import { outboundFetch } from "./proxy.ts";
import { SqliteEventLog } from "./store/event-log.ts";

/** Between two lines in the log about forgotten keys, in milliseconds. */
const FORGOTTEN_KEYS_LOG_MS = 60_000;

/** By how much the newest event may be ahead of the clock without a warning, in milliseconds. */
const FUTURE_MS = 5000;

/** The history of a service, and what else its storage does. Closing the log closes the rest. */
export interface OpenLog {
  readonly log: EventLog;
  readonly tokens: TokenStore;
  readonly consumers: ConsumerStore;
  readonly figures: LogFigures;
  readonly makeCopy: MakeCopy;
  /** Closes the log, instead of `close`, and leaves no file behind if a new one was made and nothing was stored. */
  readonly discard: () => Promise<void>;
  /** Omitted for a single node. */
  readonly cluster?: Pick<Cluster, "stats" | "ackSeconds" | "consumers">;
}

export interface OpenLogOptions {
  readonly logger: Logger;
  readonly meter: Meter;
  /** The time by which ages are measured, in milliseconds since 1970. */
  readonly ageClock: () => number;
  /** Called once when a write failed and its outcome is unknown. */
  readonly onFailure: () => void;
  /** Called once with the copy that is to take the place of the history of a node that was away for too long. */
  readonly onCopy: (path: string) => void;
}

/** Opens the history that the settings name. This is the only place of the service that knows which log it has. */
export function openLog(config: Config, options: OpenLogOptions): OpenLog {
  const settings = clusterSettingsOf(config);
  const history = openHistory(config, settings !== undefined, options);
  const makeCopy: MakeCopy = (signal) => history.backup(signal);
  if (settings === undefined) {
    return {
      log: history,
      tokens: history.tokens,
      consumers: history.consumers,
      figures: history.figures,
      makeCopy,
      discard: () => history.discard(),
    };
  }
  const cluster = openCluster(settings, history, config, options);
  const { log } = cluster;
  const figures: LogFigures = {
    get queueDepth() {
      return log.queueDepth;
    },
    get walBytes() {
      return history.figures.walBytes;
    },
    get keysForgotten() {
      return history.figures.keysForgotten;
    },
  };
  const discard = async () => {
    await log.leave();
    await history.discard();
  };
  return { log, tokens: log.tokens, consumers: cluster.consumers, figures, makeCopy, discard, cluster };
}

function openHistory(
  { db, durability, maxKeys }: Config,
  isMirror: boolean,
  { logger, meter, ageClock, onFailure }: OpenLogOptions,
): SqliteEventLog {
  const log = new SqliteEventLog(db, {
    // What a node of a cluster loses by a power failure, it adopts from the stream again.
    durability: isMirror ? "os" : durability,
    isMirror,
    maxKeys,
    meter,
    ageClock,
    onDamage: (detail) => logger.error({ detail }, "the history is damaged: run eventbus check"),
    onWarning: (detail) => logger.warn({ detail }, "the history was opened, with a warning"),
    onKeysForgotten: reportForgottenKeys(logger),
    onFull: (detail) => logger.warn({ detail }, "--max-bytes applies to the events only"),
    keepsReserve: true,
    onAlarm: (detail) => {
      if (detail === undefined) logger.info("the history is back in place, and can be written");
      else logger.error({ detail }, "the history is at risk");
    },
    onFailure: (error) => {
      logger.error({ err: error }, "the history failed");
      onFailure();
    },
  });
  warnOfFuture(log, logger);
  return log;
}

function openCluster(
  settings: ClusterSettings,
  history: SqliteEventLog,
  { db, host, allowAnonymous, durability, maxBody }: Config,
  { logger, onCopy }: OpenLogOptions,
): Cluster {
  const copyPath = `${db}.from-peer`;
  return new Cluster({
    settings,
    mustSync: durability === "fsync",
    largestBodyBytes: maxBody * NDJSON_FACTOR,
    fetch: outboundFetch,
    onWarning: (detail) => logger.warn({ detail }, "the cluster"),
    mirror: history,
    tokens: history.tokens,
    consumers: history.consumers,
    clock: Date.now,
    makeCopy: (signal) => history.backup(signal),
    copyPath,
    onCopy: (from) => {
      logger.warn({ from }, "restarting with the copy of another node");
      onCopy(copyPath);
    },
    onNoCopy: onChange((reason) =>
      logger.warn({ reason }, "there is no copy of another node's history yet: trying again"),
    ),
    mayBeOpen: allowAnonymous || isLoopbackName(host),
    onUnreachable: onChange((reason) => logger.warn({ reason }, "NATS cannot be reached: trying until it can")),
    onState: (following) => {
      if (following.state === "failed")
        logger.error({ reason: following.error.message }, "the cluster cannot be followed");
      else logger.info(following, "cluster");
    },
  });
}

/** Warns if the clock was further ahead when the newest event came than it is now. */
function warnOfFuture(log: EventLog, logger: Logger): void {
  if (log.floor > log.head || log.idBefore(Date.now() + FUTURE_MS) >= log.head) return;
  logger.warn("the newest event is ahead of the clock: created_at stays at its time until the clock has passed it");
}

/** Logs at most once a minute how many keys were forgotten, because every publish may forget some. */
function reportForgottenKeys(logger: Logger): (count: number) => void {
  let [forgotten, nextMs] = [0, 0];
  return (count) => {
    forgotten += count;
    if (performance.now() < nextMs) return;
    logger.warn({ forgotten }, "there are more idempotency keys than --max-keys: the oldest were forgotten");
    nextMs = performance.now() + FORGOTTEN_KEYS_LOG_MS;
    forgotten = 0;
  };
}
