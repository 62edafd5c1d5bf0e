import type { TokenStore } from "./bus/access/token-record.ts";
import type { Meter } from "./bus/meter.ts";
import type { EventLog } from "./bus/ports.ts";
import type { Config } from "./config.ts";
import type { MakeCopy } from "./http/routes/backup.ts";
import type { Logger } from "./log.ts";
import type { LogFigures } from "./metrics.ts";
import { SqliteEventLog } from "./store/event-log.ts";

/** Between two lines in the log about forgotten keys. */
const FORGOTTEN_KEYS_LOG_MS = 60_000;

/** The history of a service, and what else its storage does. Closing the log closes the rest. */
export interface OpenLog {
  readonly log: EventLog;
  readonly tokens: TokenStore;
  readonly figures: LogFigures;
  readonly makeCopy: MakeCopy;
  /** Closes the log in place of `close`, and leaves no file behind if this made a new one and stored nothing. */
  readonly discard: () => Promise<void>;
}

export interface OpenLogOptions {
  readonly logger: Logger;
  readonly meter: Meter;
  /** Called once when a write failed and its outcome is unknown. */
  readonly onFailure: () => void;
}

/** Opens the history that the settings name. This is the only place of the service that knows which log it has. */
export function openLog(config: Config, { logger, meter, onFailure }: OpenLogOptions): OpenLog {
  const log = new SqliteEventLog(config.db, {
    durability: config.durability,
    maxKeys: config.maxKeys,
    meter,
    onDamage: (detail) => logger.error({ detail }, "the history is damaged: run eventbus check"),
    onWarning: (detail) => logger.warn({ detail }, "the history was opened, with a warning"),
    onKeysForgotten: reportForgottenKeys(logger),
    onFull: (detail) => logger.warn({ detail }, "--max-bytes applies to the events only"),
    keepsReserve: true,
    onAlarm: (detail) => {
      if (detail === undefined) logger.info("the history is where it was, and can be written again");
      else logger.error({ detail }, "the history is in danger");
    },
    onFailure: (error) => {
      logger.error({ err: error }, "the history failed");
      onFailure();
    },
  });
  return {
    log,
    tokens: log.tokens,
    figures: log,
    makeCopy: (signal) => log.backup(signal),
    discard: () => log.discard(),
  };
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
