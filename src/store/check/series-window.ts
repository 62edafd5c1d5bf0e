import type { Database } from "bun:sqlite";
import type { EventHead } from "../events/event-head.ts";

/** What the events seen so far show about some consecutive series, in 32 bytes a series. */
export class SeriesWindow {
  readonly #ids: Float64Array;
  /** The last event seen; 0 if none was. */
  readonly #last: Float64Array;
  readonly #depth: Float64Array;
  readonly #firstDepth: Float64Array;

  /** The series after `id`, at most `limit` of them. */
  static after(database: Database, id: number, limit: number): SeriesWindow {
    const rows = database.query<{ id: number }, [number, number]>(
      "select id from series where id > ? order by id limit ?",
    );
    const ids = new Float64Array(limit);
    let size = 0;
    for (const row of rows.iterate(id, limit)) ids[size++] = row.id;
    return new SeriesWindow(ids.slice(0, size));
  }

  private constructor(ids: Float64Array) {
    this.#ids = ids;
    this.#last = new Float64Array(ids.length);
    this.#depth = new Float64Array(ids.length);
    this.#firstDepth = new Float64Array(ids.length);
  }

  get size(): number {
    return this.#ids.length;
  }

  /** The id of the series at this place. */
  idAt(at: number): number {
    return this.#ids[at] ?? 0;
  }

  /** The place of a series; undefined if it is not one of these. */
  placeOf(id: number): number | undefined {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.idAt(middle) < id) low = middle + 1;
      else high = middle;
    }
    return this.#ids[low] === id ? low : undefined;
  }

  /** The last event seen of the series at this place; 0 if none was. */
  lastOf(at: number): number {
    return this.#last[at] ?? 0;
  }

  /** The depth of that event. */
  depthOf(at: number): number {
    return this.#depth[at] ?? 0;
  }

  /** The depth of the first event seen of those that are linked without a break to the last one. */
  firstDepthOf(at: number): number {
    return this.#firstDepth[at] ?? 0;
  }

  /** Adds the next event of the series at this place. */
  add(at: number, { id, previous, depth }: EventHead): void {
    const last = this.lastOf(at);
    if (last === 0 || last !== previous) this.#firstDepth[at] = depth;
    this.#last[at] = id;
    this.#depth[at] = depth;
  }
}
