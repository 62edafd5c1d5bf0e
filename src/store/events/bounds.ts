import type { Database } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import type { Damage } from "../file/damage.ts";
import type { MetaValues } from "../file/meta.ts";
import { type Head, isIntact } from "./event-table.ts";

/** Where the history begins and ends. It changes between two calls of a reader, never during one. */
export interface Bounds {
  /** The oldest id that is kept; `head + 1` when none is. */
  readonly floor: number;
  /** The newest id ever given; 0 when none was. */
  readonly head: number;
}

/** Damaged rows at the end that are looked past for the newest event that is intact. */
const MAX_DAMAGED = 1000;

/**
 * Finds out which ids were given, and the time that no later event may go below. Ids that were given but whose events
 * are gone stay given. Throws `unavailable` when nobody can tell which ones were.
 */
export function readBounds(
  database: Database,
  meta: MetaValues,
  damage: Damage,
): [floor: number, head: number, lastAtMs: number] {
  const rows = database
    .query(`select id, series_id, created_at, head_checksum from event order by id desc limit ${MAX_DAMAGED}`)
    .values() as Head[];
  const newest = rows.find(isIntact);
  if (newest === undefined && rows.length > 0) throw new BusError("unavailable", "its newest events are damaged");
  const [newestId = 0, , newestAtMs = 0] = newest ?? [];
  for (const row of rows) {
    if (row === newest) break;
    damage.note(`event ${row[0]}: checksum mismatch`);
  }
  const head = Math.max(meta.pruned_to, meta.indexed_to, meta.head, newestId);
  if (newestId < head && head > meta.pruned_to) damage.note(`the events from ${newestId + 1} to ${head} are missing`);
  return [meta.pruned_to + 1, head, Math.max(meta.pruned_at, newestAtMs)];
}
