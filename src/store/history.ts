import type { Database, Statement } from "bun:sqlite";
import { BusError } from "../bus/errors.ts";
import { Event, formatTime } from "../bus/event.ts";
import type { RawJson } from "../bus/json.ts";
import type { Filter, Page } from "../bus/ports.ts";
import type { Posting, PostingIndex } from "./posting.ts";
import { endOf, idAt, segmentOf } from "./segment.ts";
import type { Series, SeriesTable } from "./series.ts";

/** What one call may read, so that a reader of large events does not hold the memory or the loop. */
const PAGE_BYTES = 1024 * 1024;
/** Looking up a series in the index costs what about ten steps along the events do (measured: 3 µs and 0.3 µs). */
const STEPS_PER_LOOKUP = 10;
/** Events that one call walks along at the most: about a millisecond. */
const MAX_STEPS = 4096;
/** Index look-ups that one call makes at the most, beside the first one for each series: about 5 ms. */
const MAX_LOOKUPS = 1024;

type Direction = 1 | -1;

/** Ids that may match, in the order of the search, and how far it went. */
interface Candidates {
  readonly ids: readonly number[];
  readonly end: number;
  readonly done: boolean;
}

/** The bounds of the log, which change under the reader's feet between calls but never during one. */
export interface Bounds {
  readonly floor: number;
  readonly head: number;
}

/** Searches the events. Every one is checked against its checksum before it is handed out. */
export class HistoryReader {
  readonly #series: SeriesTable;
  readonly #postings: PostingIndex;
  readonly #bounds: Bounds;
  readonly #onDamage: (id: number) => void;
  readonly #row: Statement;
  readonly #timeAt: Statement;
  readonly #stepsUp: Statement;
  readonly #stepsDown: Statement;

  constructor(
    database: Database,
    series: SeriesTable,
    postings: PostingIndex,
    bounds: Bounds,
    onDamage: (id: number) => void,
  ) {
    this.#series = series;
    this.#postings = postings;
    this.#bounds = bounds;
    this.#onDamage = onDamage;
    this.#row = database.prepare("select series_id, created_at, checksum, data from event where id = ?");
    this.#timeAt = database.prepare("select created_at from event where id <= ? order by id desc limit 1");
    this.#stepsUp = database.prepare("select id, series_id from event where id > ? and id < ? order by id limit ?");
    this.#stepsDown = database.prepare(
      "select id, series_id from event where id < ? and id > ? order by id desc limit ?",
    );
  }

  read(filter: Filter, after: number, limit: number): Page {
    return this.#search(filter, after, limit, 1);
  }

  readBack(filter: Filter, before: number, limit: number): Page {
    return this.#search(filter, before, limit, -1);
  }

  /** Undefined when the event is not kept. Throws `internal` when it is damaged. */
  get(id: number): Event | undefined {
    if (id < this.#bounds.floor || id > this.#bounds.head) return undefined;
    const event = this.#load(id);
    if (event === undefined) throw new BusError("internal", `event ${id} is damaged on disk and is not served`);
    return event;
  }

  /** The time of the event, or of the last one before it, in milliseconds since 1970. */
  timeAt(id: number): number {
    return Number(this.#timeAt.values(id)[0]?.[0] ?? 0);
  }

  /** Found by halving the ids, as `created_at` rises with them: no index on time is needed. */
  idBefore(timeMs: number): number {
    let low = this.#bounds.floor - 1;
    let high = this.#bounds.head;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.timeAt(middle) < timeMs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #search(filter: Filter, from: number, limit: number, direction: Direction): Page {
    const low = Math.max(
      this.#bounds.floor - 1,
      filter.fromMs === undefined ? 0 : this.idBefore(filter.fromMs),
      direction === 1 ? from : 0,
    );
    const high = Math.min(
      this.#bounds.head + 1,
      filter.toMs === undefined ? Number.POSITIVE_INFINITY : this.idBefore(filter.toMs + 1) + 1,
      direction === -1 ? from : Number.POSITIVE_INFINITY,
    );
    const candidates = this.#find(filter, low, Math.max(high, low + 1), limit, direction);
    return this.#loadPage(candidates, from);
  }

  /** Looks for ids between `low` and `high`, both exclusive. */
  #find(filter: Filter, low: number, high: number, limit: number, direction: Direction): Candidates {
    const end = direction === 1 ? high - 1 : low + 1;
    if (high - low <= 1) return { ids: [], end, done: true };
    const wanted = this.#series.select(filter);
    if (wanted.size === 0) return { ids: [], end, done: true };
    if (wanted.size === this.#series.size) return everyId(low, high, limit, direction);
    const walked = this.#walk(wanted, low, high, limit, direction);
    if (walked.done || walked.ids.length === limit || wanted.size > MAX_LOOKUPS) return walked;
    const rest =
      direction === 1
        ? this.#merge(wanted, walked.end, high, limit - walked.ids.length, direction)
        : this.#merge(wanted, low, walked.end, limit - walked.ids.length, direction);
    return { ...rest, ids: [...walked.ids, ...rest.ids] };
  }

  /** Steps along the events, as far as that is cheaper than the index. */
  #walk(wanted: ReadonlySet<Series>, low: number, high: number, limit: number, direction: Direction): Candidates {
    const steps = this.#stepsWorthwhile(wanted, limit);
    const start = direction === 1 ? low : high;
    if (steps === 0) return { ids: [], end: start, done: false };
    const rows = (
      direction === 1 ? this.#stepsUp.values(low, high, steps) : this.#stepsDown.values(high, low, steps)
    ) as [number, number][];
    const ids: number[] = [];
    for (const [id, seriesId] of rows) {
      const series = this.#series.get(seriesId);
      if (series === undefined) this.#onDamage(id);
      else if (wanted.has(series)) ids.push(id);
      if (ids.length === limit) return { ids, end: id, done: false };
    }
    const done = rows.length < steps;
    return { ids, end: done ? (direction === 1 ? high - 1 : low + 1) : (rows.at(-1)?.[0] ?? start), done };
  }

  #stepsWorthwhile(wanted: ReadonlySet<Series>, limit: number): number {
    if (wanted.size > MAX_LOOKUPS) return MAX_STEPS;
    let count = 1;
    for (const series of wanted) count += series.count;
    const kept = this.#bounds.head - this.#bounds.floor + 1;
    const expected = Math.ceil((2 * limit * kept) / count);
    return expected <= STEPS_PER_LOOKUP * wanted.size ? Math.min(expected, MAX_STEPS) : 0;
  }

  /** Merges the postings of the wanted series, one segment after another. */
  #merge(wanted: ReadonlySet<Series>, low: number, high: number, limit: number, direction: Direction): Candidates {
    const next = new Map<Series, Posting>();
    const start = segmentOf(direction === 1 ? low + 1 : high - 1);
    for (const series of wanted) this.#advance(next, series, start, direction);
    const ids: number[] = [];
    for (let lookups = 0; next.size > 0 && lookups < MAX_LOOKUPS; ) {
      const segments = [...next.values()].map((posting) => posting.segment);
      const segment = direction === 1 ? Math.min(...segments) : Math.max(...segments);
      if (idAt(segment, 0) >= high || endOf(segment) <= low) break;
      const here = [...next].filter(([, posting]) => posting.segment === segment);
      ids.push(...idsWithin(here, low, high, direction, limit - ids.length));
      if (ids.length === limit) return { ids, end: ids.at(-1) ?? low, done: false };
      for (const [series] of here) this.#advance(next, series, segment + direction, direction);
      lookups += here.length;
      if (lookups >= MAX_LOOKUPS && next.size > 0) {
        return { ids, end: direction === 1 ? endOf(segment) : idAt(segment, 0), done: false };
      }
    }
    return { ids, end: direction === 1 ? high - 1 : low + 1, done: true };
  }

  #advance(next: Map<Series, Posting>, series: Series, segment: number, direction: Direction): void {
    const posting =
      segment < 0
        ? undefined
        : direction === 1
          ? this.#postings.up(series, segment)
          : this.#postings.down(series, segment);
    if (posting) next.set(series, posting);
    else next.delete(series);
  }

  #loadPage(candidates: Candidates, from: number): Page {
    const events: Event[] = [];
    const damaged: number[] = [];
    let bytes = 0;
    let last = from;
    for (const id of candidates.ids) {
      if (bytes > PAGE_BYTES) return { events, end: last, done: false, damaged };
      const event = this.#load(id);
      if (event === undefined) damaged.push(id);
      else events.push(event);
      bytes += event?.json.length ?? 0;
      last = id;
    }
    return { events, end: candidates.end, done: candidates.done, damaged: damaged.sort((a, b) => a - b) };
  }

  /** Undefined when the event is damaged, which is then known. */
  #load(id: number): Event | undefined {
    const row = this.#row.values(id)[0] as [number, number, number, RawJson] | undefined;
    const series = row && this.#series.get(row[0]);
    if (row && series) {
      const event = new Event(id, series, formatTime(row[1]), row[3]);
      if (checksumOf(event) === row[2]) return event;
    }
    this.#onDamage(id);
    return undefined;
  }
}

/** CRC-32 (as in zlib and PNG) of the JSON that readers get, so that no part of an event can change unseen. */
export function checksumOf(event: Event): number {
  return Bun.hash.crc32(event.json);
}

/** Ids have no holes: all of them are known without a look at the file. */
function everyId(low: number, high: number, limit: number, direction: Direction): Candidates {
  const count = Math.min(limit, high - low - 1);
  const first = direction === 1 ? low + 1 : high - 1;
  const ids = Array.from({ length: count }, (_, index) => first + index * direction);
  return { ids, end: first + (count - 1) * direction, done: count === high - low - 1 };
}

function idsWithin(
  postings: readonly (readonly [Series, Posting])[],
  low: number,
  high: number,
  direction: Direction,
  limit: number,
): number[] {
  const ids: number[] = [];
  for (const [, { segment, offsets }] of postings) {
    const from = firstAbove(offsets, low - idAt(segment, 0));
    const to = firstAbove(offsets, high - 1 - idAt(segment, 0));
    const start = direction === 1 ? from : Math.max(from, to - limit);
    const end = direction === 1 ? Math.min(to, from + limit) : to;
    for (let index = start; index < end; index++) ids.push(idAt(segment, offsets[index] ?? 0));
  }
  return ids.sort((a, b) => (a - b) * direction).slice(0, limit);
}

/** The index of the first offset that is greater than `offset`. */
function firstAbove(offsets: ArrayLike<number>, offset: number): number {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
