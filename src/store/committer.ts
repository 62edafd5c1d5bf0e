import { BusError } from "../bus/errors.ts";
import { Event, formatTime } from "../bus/event.ts";
import type { Meter } from "../bus/meter.ts";
import type { Draft } from "../bus/ports.ts";
import type { Append, Outcome } from "./append-queue.ts";
import type { WriteHealth } from "./disk/write-health.ts";
import type { HistoryBounds } from "./events/bounds.ts";
import type { Chains } from "./events/chains.ts";
import type { EventTable } from "./events/event-table.ts";
import type { RecentEvents, StoredEvent } from "./events/recent.ts";
import type { Series } from "./events/series.ts";
import type { SeriesEnds } from "./events/series-ends.ts";
import type { SeriesTable } from "./events/series-table.ts";
import type { Transactor } from "./file/transactor.ts";
import type { IdempotencyKeys } from "./keys/idempotency.ts";

export interface CommitterOptions {
  readonly bounds: HistoryBounds;
  readonly series: SeriesTable;
  readonly ends: SeriesEnds;
  readonly chains: Chains;
  readonly events: EventTable;
  readonly recent: RecentEvents;
  readonly keys: IdempotencyKeys;
  readonly transactor: Transactor;
  readonly health: WriteHealth;
  readonly meter: Meter;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

type Listener = (batch: readonly Event[]) => void;

/** What one transaction appends, in id order. */
interface Batch {
  readonly nowMs: number;
  readonly stored: StoredEvent[];
  readonly series: Series[];
  /** Series that the transaction created. */
  readonly created: Series[];
}

/** Writes groups of appends, each in one transaction. */
export class Committer {
  readonly #bounds: HistoryBounds;
  readonly #series: SeriesTable;
  readonly #ends: SeriesEnds;
  readonly #chains: Chains;
  readonly #events: EventTable;
  readonly #recent: RecentEvents;
  readonly #keys: IdempotencyKeys;
  readonly #transactor: Transactor;
  readonly #health: WriteHealth;
  readonly #meter: Meter;
  readonly #clock: () => number;
  readonly #listeners: Listener[] = [];

  constructor(options: CommitterOptions) {
    const { bounds, series, ends, chains, events, recent, keys, transactor, health, meter, clock } = options;
    this.#bounds = bounds;
    this.#series = series;
    this.#ends = ends;
    this.#chains = chains;
    this.#events = events;
    this.#recent = recent;
    this.#keys = keys;
    this.#transactor = transactor;
    this.#health = health;
    this.#meter = meter;
    this.#clock = clock;
  }

  /** Calls the listener after every commit, after the listeners that were added before it. */
  onCommit(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** Commits the group, then calls the listeners. Throws the `BusError` for all of it. */
  commit(group: readonly Append[]): readonly Outcome[] {
    this.#health.requireWritable();
    const nowMs = Math.max(Math.trunc(this.#clock()), this.#bounds.lastAtMs);
    const batch: Batch = { nowMs, stored: [], series: [], created: [] };
    const outcomes = this.#run(batch, () => group.map((append) => this.#append(append, batch)));
    this.#accept(batch);
    return outcomes;
  }

  /** Runs the work, and everything that belongs to the commit, in one transaction. */
  #run<T>(batch: Batch, work: () => T): T {
    const startMs = performance.now();
    try {
      const result = this.#transactor.run(() => {
        const done = work();
        this.#ends.write(batch.stored.length);
        this.#keys.forgetExcess();
        return done;
      });
      if (batch.stored.length > 0) {
        this.#meter.commit(batch.stored.length, performance.now() - startMs, this.#transactor.commitStatementMs);
      }
      return result;
    } catch (error) {
      this.#takeBack(batch);
      throw this.#health.failure(error);
    }
  }

  #append({ drafts, idempotencyKey }: Append, batch: Batch): Outcome {
    if (idempotencyKey !== undefined) {
      const earlier = this.#keys.find(idempotencyKey, drafts, batch.nowMs);
      if (earlier) return earlier;
      this.#keys.remember(idempotencyKey, drafts, this.#bounds.head + batch.stored.length + 1, batch.nowMs);
    }
    return { appended: { events: this.#write(drafts, batch), replayed: false } };
  }

  /** Writes the events of one append, with the time of the batch. */
  #write(drafts: readonly Draft[], batch: Batch): Event[] {
    const { nowMs, stored, series } = batch;
    const createdAt = formatTime(nowMs);
    return drafts.map(({ topic, source, data }) => {
      const id = this.#bounds.head + stored.length + 1;
      const one = this.#seriesOf(topic, source, batch);
      const event = new Event(id, one, createdAt, data);
      const { previous, skip, depth } = this.#chains.append(one, id);
      const made = { id, seriesId: one.id, createdAtMs: nowMs, previous, skip, depth, event };
      stored.push(made);
      series.push(one);
      this.#events.insert(made, data);
      return event;
    });
  }

  #seriesOf(topic: Draft["topic"], source: string, { created }: Batch): Series {
    const known = this.#series.find(topic, source);
    if (known) return known;
    const made = this.#series.create(topic, source);
    created.push(made);
    this.#chains.begin(made);
    return made;
  }

  #accept({ nowMs, stored }: Batch): void {
    this.#keys.committed();
    if (stored.length === 0) return;
    this.#health.recover();
    this.#bounds.extendTo(this.#bounds.head + stored.length, nowMs);
    this.#ends.committed(stored.length, this.#bounds.head);
    for (const one of stored) this.#recent.add(one);
    this.#report(stored.map(({ event }) => event));
  }

  /** What a listener throws affects neither the other listeners nor the publishers. */
  #report(batch: readonly Event[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(batch);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #takeBack({ stored, series, created }: Batch): void {
    for (let index = stored.length - 1; index >= 0; index--) {
      const [one, event] = [series[index], stored[index]];
      if (one && event) this.#chains.takeBack(one, event.previous);
    }
    for (const one of created) this.#series.forget(one.id);
    this.#keys.rolledBack();
  }
}

/** The error for calls after `close`. */
export function shuttingDown(): BusError {
  return new BusError("shutting_down", "the history is closed");
}
