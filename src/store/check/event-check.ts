import type { Database } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import type { Event } from "../../bus/event.ts";
import { readBounds } from "../events/bounds.ts";
import { EventTable } from "../events/event-table.ts";
import type { Segments } from "../events/segment.ts";
import type { Series, SeriesTable } from "../events/series.ts";
import type { Damage } from "../file/damage.ts";
import type { MetaValues } from "../file/meta.ts";
import { isSqliteError } from "../file/sqlite-error.ts";

/** Bytes that are looked at in one go. */
const PAGE_BYTES = 8 * 1024 * 1024;
const MAX_STRAY = 100;

export interface CheckParts {
  readonly database: Database;
  readonly series: SeriesTable;
  readonly damage: Damage;
  readonly meta: MetaValues;
  readonly segments: Segments;
}

/** Is shown every event in id order, or told that there is none to show. */
export interface EventWitness {
  see(series: Series, id: number): void;
  miss(id: number): void;
}

/** What the events themselves say of a series. */
interface Tally {
  /** Sound events that the stored count should include. */
  counted: number;
  sawLastCounted: boolean;
}

/** Ids that follow one another and have the same thing wrong with them. */
interface Run {
  readonly first: number;
  last: number;
  readonly reason: string;
}

/** Looks at every event from the floor to the head, and at what is said of all of them together. */
export class EventCheck {
  readonly floor: number;
  readonly head: number;
  /** The last id that was looked at. */
  checked: number;
  /** Events found sound. */
  sound = 0;
  readonly #parts: CheckParts;
  readonly #witness: EventWitness;
  readonly #events: EventTable;
  readonly #tallies = new Map<Series, Tally>();
  #run: Run | undefined;
  #damaged = 0;
  #lastTime = "";

  constructor(parts: CheckParts, witness: EventWitness) {
    this.#parts = parts;
    this.#witness = witness;
    this.#events = new EventTable(parts.database, parts.series, (id, reason) => this.#extendRun(id, reason));
    [this.floor, this.head] = boundsOf(parts);
    this.checked = this.floor - 1;
  }

  get isDone(): boolean {
    return this.checked >= this.head;
  }

  /** Looks at so many of the next events, or as many as are large together. */
  checkNext(count: number): void {
    const size = Math.min(count, this.head - this.checked);
    const ids = Array.from({ length: size }, (_, index) => this.checked + 1 + index);
    const { events, count: done } = this.#events.loadAll(ids, PAGE_BYTES);
    const sound = new Map(events.map((event) => [event.id, event]));
    for (const id of ids.slice(0, done)) this.#look(id, sound.get(id));
    this.checked += done;
  }

  /** Compares what was seen with what is said of it. */
  finish(): void {
    this.#endRun();
    for (const series of this.#parts.series.all()) this.#compareCount(series);
    this.#findStrays();
  }

  #look(id: number, event: Event | undefined): void {
    const series = event && this.#parts.series.find(event.topic, event.source);
    if (event === undefined || series === undefined) {
      this.#damaged++;
      this.#witness.miss(id);
      return;
    }
    this.sound++;
    if (event.created_at < this.#lastTime) this.#parts.damage.note(`event ${id}: older than one before it`);
    this.#lastTime = event.created_at;
    this.#tally(series, id);
    this.#witness.see(series, id);
  }

  #tally(series: Series, id: number): void {
    const tally = this.#tallies.get(series) ?? { counted: 0, sawLastCounted: false };
    this.#tallies.set(series, tally);
    if (id <= series.countedTo) tally.counted++;
    if (id === series.countedTo) tally.sawLastCounted = true;
  }

  /** Events that are damaged may be of any series. */
  #compareCount(series: Series): void {
    const { counted, sawLastCounted } = this.#tallies.get(series) ?? { counted: 0, sawLastCounted: false };
    const { damage } = this.#parts;
    const name = `topic ${series.topic}, source ${JSON.stringify(series.source)}`;
    if (series.count < counted || series.count > counted + this.#damaged) {
      damage.note(`${name}: the stored count is ${series.count}, of ${counted} events up to ${series.countedTo}`);
    }
    if (!sawLastCounted && series.countedTo >= this.floor && this.#damaged === 0) {
      damage.note(`${name}: event ${series.countedTo}, which is counted last, is not one of its events`);
    }
  }

  #findStrays(): void {
    const rows = this.#parts.database
      .query(`select id from event where id < ? or id > ? order by id limit ${MAX_STRAY}`)
      .values(this.floor, this.head);
    for (const [id] of rows)
      this.#parts.damage.note(`event ${id}: outside of the history, ${this.floor} to ${this.head}`);
  }

  #extendRun(id: number, reason: string): void {
    if (this.#run?.last === id - 1 && this.#run.reason === reason) {
      this.#run.last = id;
      return;
    }
    this.#endRun();
    this.#run = { first: id, last: id, reason };
  }

  #endRun(): void {
    if (this.#run === undefined) return;
    const { first, last, reason } = this.#run;
    this.#parts.damage.note(first === last ? `event ${first}: ${reason}` : `events ${first} to ${last}: ${reason}`);
    this.#run = undefined;
  }
}

/** When nobody can read the newest events, the numbers of the whole have to do. */
function boundsOf({ database, meta, damage }: CheckParts): [floor: number, head: number] {
  try {
    const [floor, head] = readBounds(database, meta, damage);
    return [floor, head];
  } catch (error) {
    if (!isSqliteError(error) && !(error instanceof BusError)) throw error;
    damage.note(`the newest events cannot be read: ${error.message}`);
    return [meta.pruned_to + 1, Math.max(meta.pruned_to, meta.indexed_to, meta.head)];
  }
}
