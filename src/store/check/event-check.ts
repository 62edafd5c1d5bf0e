import type { Event } from "../../bus/event.ts";
import { EventTable } from "../events/event-table.ts";
import { RecentEvents } from "../events/recent.ts";
import type { SeriesTable } from "../events/series-table.ts";
import type { CheckedHistory } from "./checked-history.ts";

/** Events that are checked at a time, unless they are large together. */
const PAGE_EVENTS = 5000;
/** Characters of JSON after which a page ends earlier. */
const PAGE_CHARACTERS = 8 * 1024 * 1024;
const MAX_STRAY = 100;

/** Consecutive ids with the same damage. */
interface Run {
  readonly first: number;
  last: number;
  readonly reason: string;
}

/** Checks every event from the floor to the head. */
export class EventCheck {
  /** Events found intact. */
  sound = 0;
  readonly #history: CheckedHistory;
  /** Reports the damage of the events that it loads. */
  readonly events: EventTable;
  #run: Run | undefined;
  #lastTime = "";

  constructor(history: CheckedHistory, series: SeriesTable) {
    const { database } = history;
    const onDamaged = (id: number, reason: string) => this.#extendRun(id, reason);
    this.#history = history;
    this.events = new EventTable({ database, series, recent: new RecentEvents(), onDamaged });
  }

  /** Yields, between steps of the work, how much of it is done: 0 to 1. */
  *run(): Generator<number> {
    const { floor, head } = this.#history;
    for (let first = floor; first <= head; ) {
      const size = Math.min(PAGE_EVENTS, head - first + 1);
      const ids = Array.from({ length: size }, (_, index) => first + index);
      const { events, count } = this.events.loadAll(ids, PAGE_CHARACTERS);
      for (const event of events) this.#look(event);
      first += count;
      yield (first - floor) / (head - floor + 1);
    }
    this.#endRun();
    this.#findStrays();
  }

  #look({ id, created_at }: Event): void {
    this.sound++;
    if (created_at < this.#lastTime) this.#history.damage.note(`event ${id}: older than one before it`);
    this.#lastTime = created_at;
  }

  #findStrays(): void {
    const { database, damage, floor, head } = this.#history;
    const rows = database
      .query(`select id from event where id < ? or id > ? order by id limit ${MAX_STRAY}`)
      .values(floor, head);
    for (const [id] of rows) damage.note(`event ${id}: outside the history, ${floor} to ${head}`);
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
    this.#history.damage.note(first === last ? `event ${first}: ${reason}` : `events ${first} to ${last}: ${reason}`);
    this.#run = undefined;
  }
}
