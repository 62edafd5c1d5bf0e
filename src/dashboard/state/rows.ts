/** One line of a list. `key` is the event's id; that of a gap is before the key of the event that follows it. */
export type Row = EventRow | GapRow;

export interface EventRow {
  readonly kind: "event";
  readonly key: number;
  readonly topic: string;
  readonly source: string;
  readonly createdAt: string;
  /** The whole event as it was sent. */
  readonly json: string;
}

/** Events that retention removed before they could be shown: those between the two ids, both exclusive. */
export interface GapRow {
  readonly kind: "gap";
  readonly key: number;
  readonly after: number;
  readonly next: number;
}

/** Rows as a list shows them. */
export interface RowSource {
  readonly length: number;
  /** Rows removed at the top. */
  readonly dropped: number;
  at(index: number): Row | undefined;
  /** -1 if no row has this key. */
  indexOf(key: number): number;
}

/** More rows than anyone scrolls through; the others are in the history. */
const MAX_ROWS = 100_000;
/** UTF-16 code units of all rows' texts: at two bytes each, 128 MiB. */
const MAX_TEXT = 64 * 1024 * 1024;
/** Removed rows are cut off the array when there are this many. */
const COMPACT_ROWS = 10_000;

/** The newest rows, oldest first: rows beyond a limit are removed at the top. */
export class TailRows implements RowSource {
  readonly #limits: { readonly rows: number; readonly text: number };
  #rows: (Row | undefined)[] = [];
  #first = 0;
  #text = 0;
  #dropped = 0;

  constructor(limits = { rows: MAX_ROWS, text: MAX_TEXT }) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#rows.length - this.#first;
  }

  get dropped(): number {
    return this.#dropped;
  }

  at(index: number): Row | undefined {
    return this.#rows[this.#first + index];
  }

  /** Found by halving, as keys ascend. */
  indexOf(key: number): number {
    let low = 0;
    let high = this.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.at(middle)?.key ?? 0;
      if (found === key) return middle;
      if (found < key) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** The newest one stays, however large it is. */
  push(row: Row): void {
    this.#rows.push(row);
    this.#text += textOf(row);
    while (this.length > this.#limits.rows || (this.#text > this.#limits.text && this.length > 1)) this.#drop();
    if (this.#first < COMPACT_ROWS) return;
    this.#rows = this.#rows.slice(this.#first);
    this.#first = 0;
  }

  clear(): void {
    this.#rows = [];
    this.#first = 0;
    this.#text = 0;
    this.#dropped = 0;
  }

  #drop(): void {
    this.#text -= textOf(this.#rows[this.#first]);
    this.#rows[this.#first++] = undefined;
    this.#dropped++;
  }
}

function textOf(row: Row | undefined): number {
  return row?.kind === "event" ? row.json.length : 0;
}

/** A page of the history: rows in any order; none is removed. */
export class PageRows implements RowSource {
  readonly #rows: readonly Row[];
  readonly dropped = 0;

  constructor(rows: readonly Row[]) {
    this.#rows = rows;
  }

  get length(): number {
    return this.#rows.length;
  }

  at(index: number): Row | undefined {
    return this.#rows[index];
  }

  indexOf(key: number): number {
    return this.#rows.findIndex((row) => row.key === key);
  }
}

/** The row of an event. It keeps the text, not the parsed value. */
export function rowOf(event: {
  readonly id: number;
  readonly topic: string;
  readonly source: string;
  readonly created_at: string;
  readonly json: string;
}): EventRow {
  const { id, topic, source, created_at, json } = event;
  return { kind: "event", key: id, topic, source, createdAt: created_at, json };
}
