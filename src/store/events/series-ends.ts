import type { Database } from "bun:sqlite";
import { readMeta } from "../file/meta.ts";
import { NO_SEGMENT } from "./posting-table.ts";
import { Segments } from "./segment.ts";
import { endChecksumOf } from "./series.ts";
import seriesEnds from "./series-ends.sql" with { type: "text" };

/** Gives the end of each series a checksum, in the transaction that is open, unless the index goes on beyond it. */
export function protectEnds(database: Database): void {
  database.run(seriesEnds);
  const { segment_size, pruned_to } = readMeta(database);
  const segments = new Segments(segment_size);
  const lastSegments = database
    .query("select series_id, max(segment) from posting where segment >= ? group by series_id")
    .values(segments.of(pruned_to + 1)) as [number, number][];
  const lastOf = new Map(lastSegments);
  using update = database.prepare("update series set end_checksum = ? where id = ?");
  for (const [id, lastId] of database.query("select id, last_id from series").values() as [number, number][]) {
    const isSound = segments.of(lastId) >= (lastOf.get(id) ?? NO_SEGMENT);
    if (isSound) update.run(endChecksumOf(id, lastId), id);
  }
}
