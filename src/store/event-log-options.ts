import type { Database } from "bun:sqlite";
import type { Meter } from "../bus/meter.ts";
import type { Durability } from "./file/sqlite.ts";
import type { StoreInternals } from "./open-history.ts";

export interface SqliteEventLogOptions {
  /** Default `fsync`. */
  durability?: Durability;
  /** Milliseconds since 1970; default the system's clock. */
  clock?: () => number;
  /** Maximum number of idempotency keys that are remembered; default 1,000,000. */
  maxKeys?: number;
  /** Called once for each damage that is found. */
  onDamage?: (detail: string) => void;
  /** Called, while the file is opened, with what may be no damage: omitted commits, or a replaced file. */
  onWarning?: (detail: string) => void;
  /** Called once when a write failed and its outcome is unknown; every later append is rejected. */
  onFailure?: (error: unknown) => void;
  /** Called when idempotency keys were forgotten because there are more than `maxKeys`. */
  onKeysForgotten?: (count: number) => void;
  /** Called once when data other than events takes more than the `maxBytes` of the retention. */
  onFull?: (detail: string) => void;
  /** Counts commits and prunes; default: a meter of its own. */
  meter?: Meter;
}

/** Options that only tests change. */
export interface LogInternals extends StoreInternals {
  /** Wraps the connection of the log. */
  connect?: (database: Database) => Database;
}
