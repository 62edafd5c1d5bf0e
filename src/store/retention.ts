import type { Database, Statement } from "bun:sqlite";
import type { Meter } from "../bus/meter.ts";
import type { Retention } from "../bus/ports.ts";
import type { Space } from "./disk/space.ts";
import type { HistoryBounds } from "./events/bounds.ts";
import { type EventHead, HEAD_COLUMNS, type HeadRow, headOf, isIntact } from "./events/event-head.ts";
import type { RecentEvents } from "./events/recent.ts";
import type { SeriesEnds } from "./events/series-ends.ts";
import type { SeriesTable } from "./events/series-table.ts";
import { Meta } from "./file/meta.ts";
import { nextTurn } from "./file/next-turn.ts";
import { paced } from "./file/pace.ts";
import type { Transactor } from "./file/transactor.ts";
import type { HistoryReader } from "./history.ts";
import type { IdempotencyKeys } from "./keys/idempotency.ts";

/**
 * Events in the first slice. The size of the next ones follows the time of the last one, within these bounds, unless
 * that would not keep up with what is appended.
 */
const FIRST_SLICE_EVENTS = 200;
const MIN_SLICE_EVENTS = 20;
export const MAX_SLICE_EVENTS = 1000;
/** Bytes of data in one slice, unless its first event alone has more, or that would not keep up. */
const MAX_SLICE_BYTES = 1024 * 1024;
/**
 * A slice may remove this many times what was appended since the last one. So pruning comes nearer to its end under
 * every load, and as a removal costs much less than an append, the turn of the loop does not become twice as long.
 */
const CONVERGENCE = 2;

/** The rules of a history, and what was decided elsewhere. */
export interface PruneRules extends Retention {
  /** Every event up to this id is removed. */
  readonly upTo?: number;
}

export interface PrunerOptions {
  readonly database: Database;
  readonly transactor: Transactor;
  readonly bounds: HistoryBounds;
  readonly series: SeriesTable;
  readonly ends: SeriesEnds;
  readonly recent: RecentEvents;
  readonly history: HistoryReader;
  readonly keys: IdempotencyKeys;
  readonly space: Space;
  readonly meter: Meter;
  /** Called once when data other than events fills `maxBytes`, which the rule then does not count. */
  readonly onFull: (detail: string) => void;
}

/** The most that a slice removes. */
interface SliceLimits {
  readonly events: number;
  readonly bytes: number;
}

type SliceRow = [dataBytes: number, ...head: HeadRow];

interface Slice {
  /** Number of rows to delete. */
  readonly rows: number;
  /** The last id to delete. */
  readonly reached: number;
  /** Series without any event left. */
  readonly emptied: readonly number[];
  /** The time of the last deleted event, if it is known. */
  readonly lastAtMs: number | undefined;
}

/**
 * Removes the oldest events, one slice in each turn of the loop, and returns the space to the file system. A slice is
 * one transaction: the events, the series that have no event left, and the new floor. Nothing else is written.
 */
export class Pruner {
  readonly #bounds: HistoryBounds;
  readonly #series: SeriesTable;
  readonly #ends: SeriesEnds;
  readonly #recent: RecentEvents;
  readonly #history: HistoryReader;
  readonly #keys: IdempotencyKeys;
  readonly #space: Space;
  readonly #transactor: Transactor;
  readonly #meter: Meter;
  readonly #onFull: (detail: string) => void;
  readonly #meta: Meta;
  readonly #oldest: Statement;
  readonly #delete: Statement;
  #sliceEvents = FIRST_SLICE_EVENTS;
  /** What had been appended when the last slice began. */
  #seen: { head: number; bytes: number } = { head: 0, bytes: 0 };
  #hasSaidFull = false;

  constructor(options: PrunerOptions) {
    const { database, transactor, bounds, series, ends, recent, history, keys, space, meter, onFull } = options;
    this.#bounds = bounds;
    this.#series = series;
    this.#ends = ends;
    this.#recent = recent;
    this.#history = history;
    this.#keys = keys;
    this.#space = space;
    this.#transactor = transactor;
    this.#meter = meter;
    this.#onFull = onFull;
    this.#meta = new Meta(database);
    this.#oldest = database.prepare(
      `select octet_length(data), ${HEAD_COLUMNS} from event where id <= ? order by id limit ?`,
    );
    this.#delete = database.prepare("delete from event where id <= ?");
  }

  /**
   * Removes what the rules no longer keep at `nowMs`; calls `onSlice` with the number of events that each slice has
   * removed. Ends early, after a slice, once `isClosing` returns true. Rejects with what SQLite threw; what was removed
   * by then stays removed.
   */
  async prune(
    rules: PruneRules,
    nowMs: number,
    isClosing: () => boolean,
    onSlice: (events: number) => void,
  ): Promise<void> {
    const cut = Math.max(rules.upTo ?? 0, this.#cutByCount(rules.maxHistory), this.#cutByAge(rules.maxAgeMs, nowMs));
    this.#seen = this.#appended();
    while (!isClosing()) {
      const limits = this.#nextLimits();
      const upTo = Math.max(cut, this.#cutBySize(rules.maxBytes, limits.events));
      if (upTo < this.#bounds.floor) break;
      onSlice(this.#pruneSlice(upTo, limits));
      await nextTurn();
    }
    await this.#space.giveBack(rules.maxBytes === undefined ? undefined : this.#allowed(rules.maxBytes), isClosing);
  }

  /**
   * The newest id that the rules do not keep at `nowMs`; less than the floor if they keep everything. With a rule about
   * bytes there may be more to remove after that.
   */
  lastExcess(rules: Retention, nowMs: number): number {
    const bySize = this.#cutBySize(rules.maxBytes, Number.POSITIVE_INFINITY);
    return Math.max(this.#cutByCount(rules.maxHistory), this.#cutByAge(rules.maxAgeMs, nowMs), bySize);
  }

  /**
   * The maximum size of the file, so that the events have at most `maxBytes`: keys are not events, and have a limit of
   * their own.
   */
  #allowed(maxBytes: number): number {
    const { bytes } = this.#keys;
    if (bytes > maxBytes && !this.#hasSaidFull) {
      this.#hasSaidFull = true;
      this.#onFull(`the idempotency keys alone take ${bytes} bytes, which is more than the history may have`);
    }
    return maxBytes + bytes;
  }

  #cutByCount(maxHistory: number | undefined): number {
    return maxHistory === undefined ? 0 : this.#bounds.head - maxHistory;
  }

  #cutByAge(maxAgeMs: number | undefined, nowMs: number): number {
    return maxAgeMs === undefined ? 0 : this.#history.idBefore(nowMs - maxAgeMs);
  }

  /**
   * The last id of half of what seems to be too much: only the file shows how much space an event takes, so the size is
   * measured again after that.
   */
  #cutBySize(maxBytes: number | undefined, mostEvents: number): number {
    const { floor, head } = this.#bounds;
    if (maxBytes === undefined || floor > head) return 0;
    const usedBytes = this.#space.size().usedBytes - this.#keys.bytes;
    if (usedBytes <= maxBytes) return 0;
    const share = Math.ceil(((head - floor + 1) * (usedBytes - maxBytes)) / usedBytes / 2);
    return floor - 1 + Math.min(share, mostEvents);
  }

  #appended(): { head: number; bytes: number } {
    return { head: this.#bounds.head, bytes: this.#recent.bytesAdded };
  }

  /** The limits of the slice that begins now. */
  #nextLimits(): SliceLimits {
    const [before, now] = [this.#seen, this.#appended()];
    this.#seen = now;
    return {
      events: Math.max(this.#sliceEvents, CONVERGENCE * (now.head - before.head)),
      bytes: Math.max(MAX_SLICE_BYTES, CONVERGENCE * (now.bytes - before.bytes)),
    };
  }

  #pruneSlice(upTo: number, limits: SliceLimits): number {
    const startMs = performance.now();
    const slice = this.#planSlice(Math.min(upTo, this.#bounds.head), limits);
    this.#transactor.run(() => this.#writeSlice(slice));
    for (const id of slice.emptied) {
      this.#series.removed(id);
      this.#ends.set(id, 0);
    }
    this.#bounds.raiseFloor(slice.reached + 1);
    const tookMs = performance.now() - startMs;
    this.#meter.slice(tookMs);
    const workMs = tookMs - this.#transactor.commitStatementMs;
    const events = Math.max(slice.rows, this.#sliceEvents);
    this.#sliceEvents = paced(events, workMs, [MIN_SLICE_EVENTS, MAX_SLICE_EVENTS]);
    return slice.rows;
  }

  #planSlice(upTo: number, limits: SliceLimits): Slice {
    const { rows, reached } = this.#takeRows(upTo, limits);
    const intact = rows.filter(isIntact).map(headOf);
    const lastAtMs = intact.at(-1)?.createdAtMs;
    return { rows: rows.length, reached, emptied: this.#emptiedBy(intact, reached), lastAtMs };
  }

  /**
   * The series that this slice empties. A row that is missing or damaged may have been the last event of any series;
   * then every series is examined.
   */
  #emptiedBy(heads: readonly EventHead[], reached: number): number[] {
    if (heads.length < reached - this.#bounds.floor + 1) return this.#everyEmptiedBy(reached);
    const seriesIds = new Set(heads.map(({ seriesId }) => seriesId));
    return [...seriesIds].filter((id) => {
      const lastId = this.#ends.lastId(id);
      return lastId > 0 && lastId <= reached;
    });
  }

  /**
   * The same, of all series. One without a known end has no readable event after `openedTo`, so it is empty once the
   * slice reaches that far.
   */
  #everyEmptiedBy(reached: number): number[] {
    const least = reached >= this.#ends.openedTo ? 0 : 1;
    return [...this.#ends.endingWithin(least, reached, this.#series.endsRows())].filter((id) => this.#series.get(id));
  }

  #writeSlice({ reached, emptied, lastAtMs }: Slice): void {
    this.#delete.run(reached);
    for (const id of emptied) this.#series.delete(id);
    this.#meta.set("pruned_to", reached);
    if (lastAtMs !== undefined) this.#meta.set("pruned_at", lastAtMs);
  }

  /** The oldest rows that fit into a slice, and the id up to which these are all. */
  #takeRows(upTo: number, limits: SliceLimits): { rows: HeadRow[]; reached: number } {
    const found = this.#oldest.values(upTo, limits.events) as SliceRow[];
    const rows: HeadRow[] = [];
    let bytes = 0;
    for (const [dataBytes, ...head] of found) {
      bytes += dataBytes;
      if (rows.length > 0 && bytes > limits.bytes) break;
      rows.push(head);
    }
    const isLast = rows.length === found.length && rows.length < limits.events;
    const [lastId = upTo] = rows.at(-1) ?? [];
    const reached = isLast ? upTo : lastId;
    // Missing rows are damage: the floor passes them all the same. Stray rows below the floor do not move it.
    return { rows, reached: Math.max(reached, this.#bounds.floor - 1) };
  }
}
