import type { Database } from "bun:sqlite";
import { HistoryBounds, readBounds } from "./events/bounds.ts";
import { Chains } from "./events/chains.ts";
import { EventTable } from "./events/event-table.ts";
import { RecentEvents } from "./events/recent.ts";
import { SeriesEnds } from "./events/series-ends.ts";
import { SeriesTable } from "./events/series-table.ts";
import type { Damage } from "./file/damage.ts";
import { readMeta } from "./file/meta.ts";
import { HistoryReader } from "./history.ts";
import { Allowance } from "./search/allowance.ts";
import { TopicList } from "./topic-list.ts";

/** Options that only tests change. */
export interface ContentsInternals {
  /** Events after which changed ends of series are written. */
  endsInterval?: number;
  /** Maximum number of series in memory. */
  cachedSeries?: number;
  /** Maximum number of events in memory. */
  recentEvents?: number;
  /** Maximum number of characters of the names of all series in memory. */
  nameCharacters?: number;
  /** The clock by which searches end, in milliseconds since any moment. */
  searchClock?: () => number;
  /** Called when the names of all series have been verified, or the log is closed before that. */
  onVerified?: () => void;
}

/**
 * The events and series in the file, read as far as opening requires, and what searches them. Throws `unavailable` if
 * it cannot be determined which ids were assigned.
 */
export function readContents(database: Database, damage: Damage, internals: ContentsInternals) {
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
  const allowance = new Allowance(internals.searchClock);
  const { nameCharacters } = internals;
  const history = new HistoryReader({ bounds, series, events, chains, allowance, nameCharacters });
  return {
    stored,
    bounds,
    recent,
    series,
    events,
    ends,
    chains,
    history,
    topics: new TopicList({ series, chains, allowance, timeAt: (id) => history.timeAt(id) }),
    /** Verifies some more of the series; returns false if none are left. */
    verifyNext: () => series.verifyNext(expected),
  };
}
