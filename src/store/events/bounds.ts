import type { Database } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import type { Damage } from "../file/damage.ts";
import type { MetaValues } from "../file/meta.ts";
import { HEAD_COLUMNS, type HeadRow, headOf, isIntact } from "./event-head.ts";

/** The first and the last id of the history. They change between two calls of a reader, never during one. */
export interface Bounds {
  /** The oldest id that is kept; `head + 1` if none is. */
  readonly floor: number;
  /** The newest id ever assigned; 0 if none was. */
  readonly head: number;
}

export interface StoredBounds extends Bounds {
  /** The earliest `created_at` that the next event may have, in milliseconds since 1970. */
  readonly lastAtMs: number;
}

/** The bounds of an open history. The committer raises the head, the pruner the floor. */
export class HistoryBounds implements StoredBounds {
  #floor: number;
  #head: number;
  #lastAtMs: number;

  constructor({ floor, head, lastAtMs }: StoredBounds) {
    this.#floor = floor;
    this.#head = head;
    this.#lastAtMs = lastAtMs;
  }

  get floor(): number {
    return this.#floor;
  }

  get head(): number {
    return this.#head;
  }

  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  /** Events up to this id were committed, the last one with this time. */
  extendTo(head: number, lastAtMs: number): void {
    this.#head = head;
    this.#lastAtMs = lastAtMs;
  }

  /** Events below this id were removed. */
  raiseFloor(floor: number): void {
    this.#floor = floor;
  }
}

/** Maximum number of damaged rows at the end that are skipped to find the newest intact event. */
const MAX_DAMAGED = 1000;

/**
 * Finds the ids that were assigned, and the earliest time that the next event may have. An id stays assigned when its
 * event is lost. Throws `unavailable` if they cannot be determined.
 */
export function readBounds(database: Database, meta: MetaValues, damage: Damage): StoredBounds {
  const rows = database
    .query(`select ${HEAD_COLUMNS} from event order by id desc limit ${MAX_DAMAGED}`)
    .values() as HeadRow[];
  const newest = rows.find(isIntact);
  if (newest === undefined && rows.length > 0) throw new BusError("unavailable", "its newest events are damaged");
  for (const row of rows) {
    if (row === newest) break;
    damage.note(`event ${headOf(row).id}: checksum mismatch`);
  }
  const { id: newestId, createdAtMs } = newest ? headOf(newest) : { id: 0, createdAtMs: 0 };
  const head = Math.max(meta.pruned_to, meta.ends_to, meta.head, newestId);
  if (newestId < head && head > meta.pruned_to) damage.note(`the events from ${newestId + 1} to ${head} are missing`);
  return { floor: meta.pruned_to + 1, head, lastAtMs: Math.max(meta.pruned_at, createdAtMs) };
}
