/** The id and the name of a series, as in its row. */
export interface SeriesNaming {
  readonly id: number;
  readonly topic: string;
  readonly source: string;
}

/** CRC-32 of {"id":…,"topic":…,"source":…}. */
export function seriesChecksumOf({ id, topic, source }: SeriesNaming): number {
  return Bun.hash.crc32(`{"id":${id},"topic":${JSON.stringify(topic)},"source":${JSON.stringify(source)}}`);
}

/** Series per row of series_end: with eight bytes each, the row fills a page of 4 KiB. */
export const ENDS_PER_ROW = 500;

/** The first series id of the row of series_end that contains the end of a series. */
export function endsRowOf(seriesId: number): number {
  return seriesId - ((seriesId - 1) % ENDS_PER_ROW);
}

/** CRC-32 of "first_id," and the numbers. */
export function endsChecksumOf(firstId: number, ends: Uint8Array): number {
  return Bun.hash.crc32(ends, Bun.hash.crc32(`${firstId},`));
}
