import { Meter } from "../bus/meter.ts";
import { Adopter } from "./adopter.ts";
import { AppendQueue } from "./append-queue.ts";
import { Committer } from "./committer.ts";
import { DirectWrites } from "./direct-writes.ts";
import { Checkpoints } from "./disk/checkpoints.ts";
import { Reserve } from "./disk/reserve.ts";
import { Space } from "./disk/space.ts";
import { WriteHealth } from "./disk/write-health.ts";
import { HistoryBounds, readBounds } from "./events/bounds.ts";
import { Chains } from "./events/chains.ts";
import { EventTable } from "./events/event-table.ts";
import { RecentEvents } from "./events/recent.ts";
import { SeriesEnds } from "./events/series-ends.ts";
import { SeriesTable } from "./events/series-table.ts";
import { Damage } from "./file/damage.ts";
import { Meta, readMeta } from "./file/meta.ts";
import type { OpenFile } from "./file/sqlite.ts";
import { Transactor } from "./file/transactor.ts";
import { HistoryReader } from "./history.ts";
import { DEFAULT_MAX_KEYS, IdempotencyKeys } from "./keys/idempotency.ts";
import { TokenTable } from "./keys/tokens.ts";
import { Pruner } from "./retention.ts";
import { Allowance } from "./search/allowance.ts";
import { TopicList } from "./topic-list.ts";
import { Upkeep } from "./upkeep.ts";

export interface OpenHistoryOptions {
  /** Its changes come from a stream, by `adopt`. Default false: it is the history of a single node. */
  isMirror?: boolean;
  /** Milliseconds since 1970; default the system's clock. */
  clock?: () => number;
  /** The time by which the age of idempotency keys is measured, in milliseconds since 1970; default `clock`. */
  ageClock?: () => number;
  /** Maximum number of idempotency keys that are remembered; default 1,000,000. */
  maxKeys?: number;
  /** Called once for each damage that is found. */
  onDamage?: (detail: string) => void;
  /**
   * Called when the file is no longer where a restart will look for it, or cannot be written; with undefined when that
   * is over.
   */
  onAlarm?: (detail: string | undefined) => void;
  /** Whether to keep some space on the disk, in a file beside the history, for pruning when it is full; default false. */
  keepsReserve?: boolean;
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
export interface HistoryInternals {
  /** Events after which changed ends of series are written. */
  endsInterval?: number;
  /** Maximum number of series in memory. */
  cachedSeries?: number;
  /** Maximum number of events in memory. */
  recentEvents?: number;
  /** The clock by which searches end, in milliseconds since any moment. */
  searchClock?: () => number;
}

/** What the history needs of its file. */
export type OpenedFile = Pick<OpenFile, "database" | "place" | "walBytes"> & {
  /** Where it is. */
  readonly path: string;
};

/**
 * The history in an open file: its contents, read as far as opening requires, and the parts that read and write it.
 * Nothing runs by itself until `upkeep.start()`.
 */
export function openHistory(
  { database, path, place, walBytes }: OpenedFile,
  options: OpenHistoryOptions,
  internals: HistoryInternals,
) {
  const { clock = Date.now, ageClock = clock, maxKeys = DEFAULT_MAX_KEYS, meter = new Meter() } = options;
  const { onDamage = ignore, onFailure = ignore, onAlarm = ignore } = options;
  const { isMirror: isExact = false, onKeysForgotten: onForgotten = ignore, onFull = ignore } = options;
  const damage = new Damage(onDamage);
  const health = new WriteHealth(damage, onFailure, onAlarm);
  const checkpoints = new Checkpoints(database, walBytes);
  const transactor = new Transactor(database);
  const space = new Space(database, checkpoints);
  const stored = readMeta(database);
  const bounds = new HistoryBounds(readBounds(database, stored, damage));
  const recent = new RecentEvents(internals.recentEvents);
  const series = new SeriesTable({ database, damage, maxCached: internals.cachedSeries });
  const onDamaged = (id: number, reason: string) => damage.note(`event ${id}: ${reason}`);
  const events = new EventTable({ database, series, recent, onDamaged });
  const ends = new SeriesEnds({ database, damage, endsTo: stored.ends_to, intervalEvents: internals.endsInterval });
  const chains = new Chains({ bounds, ends, series, events, damage });
  chains.readEndsAfter(stored.ends_to);
  const expected = (first: number, last: number) => ends.endingFrom(bounds.floor, first, last);
  series.load(expected);
  const allowance = new Allowance({ nowMs: internals.searchClock });
  const history = new HistoryReader({ bounds, series, events, chains, allowance });
  const keys = new IdempotencyKeys({ database, damage, maxKeys, isExact, onForgotten });

  const written = { bounds, series, ends, keys, transactor, meter };
  const committer = new Committer({ ...written, chains, events, recent, health, clock, ageClock });
  const pruner = new Pruner({ ...written, database, history, space, onFull });
  const meta = new Meta(database);
  const writes = new DirectWrites({ transactor, health, bounds, keys, meta, savedHead: stored.head });
  const reserve = options.keepsReserve === true && place !== undefined ? new Reserve(path) : undefined;
  const verifyNext = () => series.verifyNext(expected);
  const upkeep = new Upkeep({ pruner, checkpoints, place, reserve, keys, health, meter, verifyNext });
  const tokens = new TokenTable({ database, damage, write: (work) => writes.run(work), expected: stored.tokens });
  return {
    database,
    damage,
    health,
    checkpoints,
    space,
    transactor,
    bounds,
    events,
    chains,
    recent,
    history,
    topics: new TopicList({ series, chains, allowance, timeAt: (id) => history.timeAt(id) }),
    keys,
    committer,
    queue: new AppendQueue((group) => committer.commit(group)),
    upkeep,
    pruner,
    writes,
    tokens,
    adopter: new Adopter({ database, damage, committer, tokens, bounds, upkeep, writes, meta, stored }),
  };
}

export type OpenHistory = ReturnType<typeof openHistory>;

function ignore(): void {}
