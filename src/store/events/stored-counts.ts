import type { Database } from "bun:sqlite";
import { readMeta } from "../file/meta.ts";
import { decode, PostingDamage } from "./posting-table.ts";
import { Segments } from "./segment.ts";
import type { SeriesTable } from "./series.ts";

interface Index {
  readonly database: Database;
  readonly segments: Segments;
}

/**
 * The index drops a segment only when the floor has left all of it, and until then the stored counts include what is
 * removed of it: this takes that out of the counts in memory. `onDamage` is told of each posting that is damaged; its
 * events are counted instead.
 */
export function leaveOutRemoved(
  index: Index & { readonly series: SeriesTable },
  floor: number,
  onDamage: (detail: string) => void,
): void {
  for (const [seriesId, removed] of removedOf(index, floor, onDamage)) {
    const series = index.series.get(seriesId);
    if (series) series.count -= removed;
  }
}

/**
 * Brings the stored counts to what stands in the index, in the transaction that is open: a schema before this one took
 * each event that was removed from its count, which wrote to rows all over the table with every slice of a pruning.
 */
export function includeRemoved(database: Database): void {
  const { segment_size, pruned_to } = readMeta(database);
  const index = { database, segments: new Segments(segment_size) };
  using add = database.prepare("update series set count = count + ? where id = ?");
  for (const [seriesId, removed] of removedOf(index, pruned_to + 1, () => {})) add.run(removed, seriesId);
}

/** Yields the ids of series, and how many removed events a posting of each has. */
function* removedOf(
  { database, segments }: Index,
  floor: number,
  onDamage: (detail: string) => void,
): Generator<[seriesId: number, removed: number]> {
  const lowest = segments.of(floor);
  const left = database.query("select series_id, octet_length(offsets) / 2 from posting where segment < ?");
  yield* left.values(lowest) as [number, number][];
  const keptFrom = segments.offsetOf(floor);
  if (keptFrom === 0) return;
  const begun = database.query(
    "select segment, previous, checksum, offsets, series_id, octet_length(offsets) / 2 from posting where segment = ?",
  );
  let kept: ReadonlyMap<number, number> | undefined;
  for (const row of begun.values(lowest)) {
    const [seriesId, size] = row.slice(4) as [number, number];
    try {
      yield [seriesId, countBelow(keptFrom, decode(seriesId, row)?.offsets ?? [])];
    } catch (error) {
      if (!(error instanceof PostingDamage)) throw error;
      onDamage(error.message);
      kept ??= eventsBySeries(database, floor, segments.lastOf(lowest));
      yield [seriesId, size - (kept.get(seriesId) ?? 0)];
    }
  }
}

function eventsBySeries(database: Database, first: number, last: number): Map<number, number> {
  const counts = database.query("select series_id, count(*) from event where id between ? and ? group by series_id");
  return new Map(counts.values(first, last) as [number, number][]);
}

/** How many of some ascending offsets are below one. */
function countBelow(end: number, offsets: ArrayLike<number>): number {
  let count = 0;
  while ((offsets[count] ?? end) < end) count++;
  return count;
}
