import type { Database } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import { type Bounds, readBounds } from "../events/bounds.ts";
import type { Damage } from "../file/damage.ts";
import type { MetaValues } from "../file/meta.ts";
import { isSqliteError } from "../file/sqlite-error.ts";

/** The parts of a history that a check examines. */
export interface CheckedHistory extends Bounds {
  readonly database: Database;
  readonly damage: Damage;
  /** The event up to which the stored ends of the series are exact. */
  readonly endsTo: number;
}

export function checkedHistory(database: Database, damage: Damage, meta: MetaValues): CheckedHistory {
  return { database, damage, endsTo: meta.ends_to, ...boundsOf(database, damage, meta) };
}

/** The bounds; if the newest events cannot be read, those in the meta table. */
function boundsOf(database: Database, damage: Damage, meta: MetaValues): Bounds {
  try {
    return readBounds(database, meta, damage);
  } catch (error) {
    if (!isSqliteError(error) && !(error instanceof BusError)) throw error;
    damage.note(`the newest events cannot be read: ${error.message}`);
    return { floor: meta.pruned_to + 1, head: Math.max(meta.pruned_to, meta.ends_to, meta.head) };
  }
}
