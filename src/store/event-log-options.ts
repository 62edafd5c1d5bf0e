import type { Database } from "bun:sqlite";
import type { Meter } from "../bus/meter.ts";
import type { Durability } from "./file/sqlite.ts";
import type { StoreInternals } from "./open-history.ts";

export interface SqliteEventLogOptions {
  /** Default `fsync`. */
  durability?: Durability;
  /** Milliseconds since 1970; default the system's clock. */
  clock?: () => number;
  /** Idempotency keys that are remembered at the most; default 1,000,000. */
  maxKeys?: number;
  /** Called once for each thing that is found damaged. */
  onDamage?: (detail: string) => void;
  /** Called, during the opening, with what is no damage for sure: commits that were left out, or a file that was replaced. */
  onWarning?: (detail: string) => void;
  /** Called once when a write failed in such a way that its outcome is unknown; nothing is accepted afterwards. */
  onFailure?: (error: unknown) => void;
  /** Called when idempotency keys were forgotten because there are more than `maxKeys`. */
  onKeysForgotten?: (count: number) => void;
  /** Called once when what is no event takes more than `maxBytes` of the retention. */
  onFull?: (detail: string) => void;
  /** Counts commits and prunes; default one of its own. */
  meter?: Meter;
}

/** What only tests change. */
export interface LogInternals extends StoreInternals {
  /** Puts something between the log and its connection. */
  connect?: (database: Database) => Database;
}
