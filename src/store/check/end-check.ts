import type { Statement } from "bun:sqlite";
import type { EventHead } from "../events/event-head.ts";
import { ENDS_PER_ROW, endsChecksumOf, endsRowOf } from "../events/series-row.ts";
import type { CheckedHistory } from "./checked-history.ts";
import type { SeriesWindow } from "./series-window.ts";

interface EndsRow {
  readonly first_id: number;
  readonly ends: Uint8Array;
  readonly checksum: number;
}

/** Compares the stored ends of the series with the chains. */
export class EndCheck {
  readonly #history: CheckedHistory;
  readonly #row: Statement<EndsRow>;
  readonly #headAt: (id: number) => EventHead | undefined;

  /** `headAt` returns the head of an event, if it is intact. */
  constructor(history: CheckedHistory, headAt: (id: number) => EventHead | undefined) {
    this.#history = history;
    this.#row = history.database.prepare<EndsRow, [number]>(
      "select first_id, ends, checksum from series_end where first_id = ?",
    );
    this.#headAt = headAt;
  }

  /** Compares the ends of these series. All of their events up to `endsTo` were seen, and no later ones. */
  compare(window: SeriesWindow): void {
    for (let at = 0; at < window.size; ) {
      const firstId = endsRowOf(window.idAt(at));
      const ends = this.#endsFrom(firstId);
      for (; at < window.size && endsRowOf(window.idAt(at)) === firstId; at++) {
        const id = window.idAt(at);
        if (ends) this.#compareOne(id, ends[id - firstId] ?? 0, window.lastOf(at));
      }
    }
  }

  #compareOne(id: number, end: number, last: number): void {
    if (this.#isEnd(id, end, last)) return;
    this.#history.damage.note(`series ${id}: its stored end is ${end}, and its last event up to there is ${last}`);
  }

  /**
   * Whether the end is right. A later event is right, too, if it is of the series; so is a pruned event, if no event of
   * the series was seen.
   */
  #isEnd(id: number, end: number, last: number): boolean {
    if (end <= last) return end === last;
    if (end < this.#history.floor) return true;
    const event = end <= this.#history.head ? this.#headAt(end) : undefined;
    return event ? event.seriesId === id : end <= this.#history.head;
  }

  /** The stored ends of a row; undefined, and reported, if they are damaged. */
  #endsFrom(firstId: number): Float64Array | undefined {
    const row = this.#row.get(firstId);
    if (row === null) return new Float64Array(ENDS_PER_ROW);
    if (areEndsIntact(row)) return new Float64Array(row.ends.slice().buffer);
    this.#history.damage.note(`${nameOfEnds(firstId)}: checksum mismatch`);
    return undefined;
  }
}

function areEndsIntact({ first_id, ends, checksum }: EndsRow): boolean {
  const isWhole = ends instanceof Uint8Array && ends.length === ENDS_PER_ROW * Float64Array.BYTES_PER_ELEMENT;
  return isWhole && endsChecksumOf(first_id, ends) === checksum;
}

function nameOfEnds(firstId: number): string {
  return `the stored ends of series ${firstId} to ${firstId + ENDS_PER_ROW - 1}`;
}
