import type { Database } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import type { Damage } from "../file/damage.ts";
import type { MetaValues } from "../file/meta.ts";
import { HEAD_COLUMNS, type HeadRow, isIntact } from "./event-head.ts";

/** Where the history begins and ends. It changes between two calls of a reader, never during one. */
export interface Bounds {
  /** The oldest id that is kept; `head + 1` when none is. */
  readonly floor: number;
  /** The newest id ever given; 0 when none was. */
  readonly head: number;
}

/** The bounds of an open history. The committer moves the head, the pruner the floor. */
export class HistoryBounds implements Bounds {
  #floor: number;
  #head: number;
  #lastAtMs: number;

  constructor([floor, head, lastAtMs]: readonly [floor: number, head: number, lastAtMs: number]) {
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

  /** The time that no later event may go below, in milliseconds since 1970. */
  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  /** Events up to this id, the last one of this time, were committed. */
  extendTo(head: number, lastAtMs: number): void {
    this.#head = head;
    this.#lastAtMs = lastAtMs;
  }

  /** Events below this id were removed. */
  raiseFloor(floor: number): void {
    this.#floor = floor;
  }
}

/** Damaged rows at the end that are looked past for the newest event that is intact. */
const MAX_DAMAGED = 1000;

/**
 * Finds out which ids were given, and the time that no later event may go below. Ids that were given but whose events
 * are gone stay given. Throws `unavailable` when that cannot be found out.
 */
export function readBounds(
  database: Database,
  meta: MetaValues,
  damage: Damage,
): [floor: number, head: number, lastAtMs: number] {
  const rows = database
    .query(`select ${HEAD_COLUMNS} from event order by id desc limit ${MAX_DAMAGED}`)
    .values() as HeadRow[];
  const newest = rows.find(isIntact);
  if (newest === undefined && rows.length > 0) throw new BusError("unavailable", "its newest events are damaged");
  const [newestId = 0, , newestAtMs = 0] = newest ?? [];
  for (const row of rows) {
    if (row === newest) break;
    damage.note(`event ${row[0]}: checksum mismatch`);
  }
  const head = Math.max(meta.pruned_to, meta.ends_to, meta.head, newestId);
  if (newestId < head && head > meta.pruned_to) damage.note(`the events from ${newestId + 1} to ${head} are missing`);
  return [meta.pruned_to + 1, head, Math.max(meta.pruned_at, newestAtMs)];
}
