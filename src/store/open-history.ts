import type { Database } from "bun:sqlite";
import { HistoryBounds, readBounds } from "./events/bounds.ts";
import { Chains } from "./events/chains.ts";
import { EventTable } from "./events/event-table.ts";
import { RecentEvents } from "./events/recent.ts";
import { SeriesEnds } from "./events/series-ends.ts";
import { SeriesTable } from "./events/series-table.ts";
import type { Damage } from "./file/damage.ts";
import { Meta, readMeta } from "./file/meta.ts";
import { Space } from "./file/space.ts";
import { Transactor } from "./file/transactor.ts";
import { HistoryReader } from "./history.ts";
import { IdempotencyKeys } from "./keys/idempotency.ts";
import { TopicList } from "./topic-list.ts";

/** Options that only tests change. */
export interface StoreInternals {
  /** Events after which changed ends of series are written. */
  endsInterval?: number;
  /** Maximum number of series in memory. */
  cachedSeries?: number;
  /** Maximum number of events in memory. */
  recentEvents?: number;
}

export interface OpenHistoryOptions {
  readonly database: Database;
  readonly damage: Damage;
  readonly maxKeys: number;
  readonly onKeysForgotten: (count: number) => void;
  readonly internals: StoreInternals;
}

/** The contents of the file, read as far as opening requires. */
export function openHistory({ database, damage, maxKeys, onKeysForgotten, internals }: OpenHistoryOptions) {
  const stored = readMeta(database);
  const bounds = new HistoryBounds(readBounds(database, stored, damage));
  const transactor = new Transactor(database);
  const recent = new RecentEvents(internals.recentEvents);
  const series = new SeriesTable({ database, damage, maxCached: internals.cachedSeries });
  const onDamaged = (id: number, reason: string) => damage.note(`event ${id}: ${reason}`);
  const events = new EventTable({ database, series, recent, onDamaged });
  const ends = new SeriesEnds({ database, damage, endsTo: stored.ends_to, intervalEvents: internals.endsInterval });
  const chains = new Chains({ bounds, ends, series, events, damage });
  chains.readEndsAfter(stored.ends_to);
  const expected = (first: number, last: number) => ends.endingFrom(bounds.floor, first, last);
  series.load(expected);
  const history = new HistoryReader({ bounds, series, events, chains });
  const topics = new TopicList({ series, chains, timeAt: (id) => history.timeAt(id) });
  const keys = new IdempotencyKeys({ database, damage, maxKeys, onForgotten: onKeysForgotten });
  return {
    stored,
    bounds,
    transactor,
    recent,
    series,
    events,
    ends,
    chains,
    history,
    topics,
    keys,
    /** Verifies some more of the series; returns false if none are left. */
    verifyNext: () => series.verifyNext(expected),
    space: new Space(database),
    meta: new Meta(database),
  };
}

export type OpenHistory = ReturnType<typeof openHistory>;
