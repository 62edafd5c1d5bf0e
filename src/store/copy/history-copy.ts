import type { Database, Statement } from "bun:sqlite";
import type { Bounds } from "../events/bounds.ts";
import { nextTurn } from "../file/next-turn.ts";
import { makeHistory } from "../file/sqlite.ts";
import { FrozenTable } from "./frozen-table.ts";

/**
 * Target duration of a slice, in milliseconds. An append waits for several turns of the loop, each with a slice in it.
 */
const SLICE_MS = 2;
/** Rows between two looks at the clock, or fewer if they have this many characters. */
const CHUNK_ROWS = 64;
const CHUNK_CHARACTERS = 256 * 1024;

/** Tables of a few rows, copied at once, as they are at one moment. */
const SMALL_TABLES = ["meta", "token", "entry_writer", "consumer_lease"];
/** Tables that may have many rows, and change: they are copied in slices, as they were at that moment. */
const FROZEN_TABLES = ["consumer", "consumer_delivery"];

export interface CopyOptions {
  /** Called now and then with how much of the events is done: 0 to 1. */
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Throws if the copy should be abandoned. Called in every turn of the loop. */
  readonly checkGoOn?: () => void;
  /** Target duration of a slice, in milliseconds; only tests change it. */
  readonly sliceMs?: number;
}

/**
 * Copies a history that may be written meanwhile into a new file: all events up to the head at a moment near the start,
 * and everything that belongs to them. Blocks the loop for a few milliseconds at a time, and holds only a few rows in
 * memory.
 *
 * MUST NOT run while events are removed. Events appended after that moment are not in the copy. Nothing of the copy is
 * synced to the disk, and if this throws, what was written is useless.
 */
export async function copyHistory(
  source: Database,
  bounds: Bounds,
  path: string,
  options: CopyOptions = {},
): Promise<void> {
  const target = makeHistory(path);
  try {
    await new Copy(source, target, options).run(bounds);
  } finally {
    target.close(true);
  }
}

type Row = Record<string, string | number | bigint | Uint8Array | null>;

interface MetaRow {
  readonly value: number;
  readonly checksum: number;
}
const ENDS_TO = "select value, checksum from meta where name = 'ends_to'";

/** Which rows of a table are copied, in the order of their row ids; default: all. */
interface Selection {
  readonly after?: number;
  readonly upTo?: number;
  readonly isWanted?: (row: Row) => boolean;
  /** Called with the row id that was reached. */
  readonly onProgress?: (id: number) => void;
}

class Copy {
  readonly #source: Database;
  readonly #target: Database;
  readonly #onProgress: (done: number) => void;
  readonly #checkGoOn: () => void;
  readonly #sliceMs: number;
  #turnMs = performance.now();

  constructor(source: Database, target: Database, options: CopyOptions) {
    const { onProgress = () => {}, checkGoOn = () => {}, sliceMs = SLICE_MS } = options;
    this.#source = source;
    this.#target = target;
    this.#onProgress = onProgress;
    this.#checkGoOn = checkGoOn;
    this.#sliceMs = sliceMs;
  }

  async run(bounds: Bounds): Promise<void> {
    this.#target.run("begin");
    // It says up to which event series_end is exact, so it is read first: what is written meanwhile only goes further.
    const endsTo = this.#source.query<MetaRow, []>(ENDS_TO).get();
    await this.#copyRows("series_end");
    await this.#copyRows("series");
    // No turn of the loop has passed since the last series, so the series of every event up to here was copied. What
    // follows is as of the same moment: the place in a stream is that of the newest event.
    const { floor, head } = bounds;
    for (const table of SMALL_TABLES) this.#copyWhole(table);
    if (endsTo)
      this.#target.run("update meta set value = ?, checksum = ? where name = 'ends_to'", [
        endsTo.value,
        endsTo.checksum,
      ]);
    await this.#copyFrozen();
    await this.#copyRows("event", {
      after: floor - 1,
      upTo: head,
      onProgress: (id) => this.#onProgress((id - floor + 1) / (head - floor + 1)),
    });
    this.#onProgress(1);
    // Later events are not in the copy, so their keys must not be, either.
    await this.#copyRows("idempotency_key", { isWanted: ({ first_id }) => Number(first_id) <= head });
    this.#target.run("commit");
  }

  #copyWhole(table: string): void {
    const columns = this.#columnsOf(table);
    this.#target.run(`delete from ${table}`);
    using insert = this.#insertInto(table, columns);
    for (const row of this.#source.query(`select ${columns} from ${table}`).values()) insert.run(...(row as never[]));
  }

  async #copyFrozen(): Promise<void> {
    using parts = new DisposableStack();
    const tables = FROZEN_TABLES.map((name) => ({ name, rows: parts.use(new FrozenTable(this.#source, name)) }));
    for (const { name, rows } of tables) {
      using insert = this.#insertInto(name, this.#columnsOf(name), "or ignore");
      for (const page of rows.pages(CHUNK_ROWS)) {
        for (const row of page) insert.run(...row);
        await this.#yield(() => {});
      }
    }
  }

  async #copyRows(table: string, selection: Selection = {}): Promise<void> {
    const { after = 0, upTo = Number.MAX_SAFE_INTEGER, isWanted = () => true, onProgress } = selection;
    const columns = this.#columnsOf(table);
    using insert = this.#insertInto(table, columns);
    using rows = this.#source.prepare<Row, [number, number]>(
      `select ${columns} from ${table} where rowid > ? and rowid <= ? order by rowid limit ${CHUNK_ROWS}`,
    );
    const copy = (row: Row) => {
      if (isWanted(row)) insert.run(...Object.values(row));
    };
    for (let id = after; ; ) {
      const { last, isEnd } = eachOfChunk(rows.iterate(id, upTo), copy);
      // The last chunk, with the rows that exist now, ends it: going on for new rows might never end.
      if (isEnd) return;
      id = Number(last?.[columns[0] ?? ""]);
      await this.#yield(() => onProgress?.(id));
    }
  }

  /** The row id is the first column, in a table that has one. */
  #columnsOf(table: string): string[] {
    return this.#target.query("select name from pragma_table_info(?)").values(table).flat().map(String);
  }

  #insertInto(table: string, columns: readonly string[], onConflict = ""): Statement {
    const values = columns.map(() => "?");
    return this.#target.prepare(`insert ${onConflict} into ${table} (${columns}) values (${values})`);
  }

  /** At the end of a slice, writes its pages and yields to the loop. */
  async #yield(report: () => void): Promise<void> {
    if (performance.now() - this.#turnMs < this.#sliceMs) return;
    this.#target.run("commit");
    report();
    await nextTurn();
    this.#turnMs = performance.now();
    this.#checkGoOn();
    this.#target.run("begin");
  }
}

/** Copies the rows of a chunk, until they have many characters. */
function eachOfChunk(rows: Iterable<Row>, copy: (row: Row) => void): { last: Row | undefined; isEnd: boolean } {
  let count = 0;
  let characters = 0;
  let last: Row | undefined;
  for (const row of rows) {
    copy(row);
    last = row;
    count++;
    characters += typeof row["data"] === "string" ? row["data"].length : 0;
    if (characters > CHUNK_CHARACTERS) return { last, isEnd: false };
  }
  return { last, isEnd: count < CHUNK_ROWS };
}
