import { BusError } from "../bus/errors.ts";
import { Event, formatTime } from "../bus/event.ts";
import type { Meter } from "../bus/meter.ts";
import type { Draft } from "../bus/ports.ts";
import type { Append, Outcome } from "./append-queue.ts";
import type { CommitListeners } from "./commit-listeners.ts";
import type { HistoryBounds } from "./events/bounds.ts";
import type { Chains } from "./events/chains.ts";
import type { EventTable } from "./events/event-table.ts";
import type { RecentEvents, StoredEvent } from "./events/recent.ts";
import type { Series } from "./events/series.ts";
import type { SeriesEnds } from "./events/series-ends.ts";
import type { SeriesTable } from "./events/series-table.ts";
import type { Transactor } from "./file/transactor.ts";
import type { WriteHealth } from "./file/write-health.ts";
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
  readonly listeners: CommitListeners;
  readonly meter: Meter;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** What one transaction appends, in id order. */
interface Batch {
  readonly nowMs: number;
  readonly stored: StoredEvent[];
  readonly series: Series[];
  /** Series that the transaction made. */
  readonly created: Series[];
}

/** Writes groups of appends, each in one transaction. */
export class Committer {
  readonly #options: CommitterOptions;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Commits the group, then calls the listeners. Throws the `BusError` for all of it. */
  commit(group: readonly Append[]): readonly Outcome[] {
    const { bounds, health, clock } = this.#options;
    health.requireWritable();
    const nowMs = Math.max(Math.trunc(clock()), bounds.lastAtMs);
    const batch: Batch = { nowMs, stored: [], series: [], created: [] };
    const outcomes = this.#run(batch, () => group.map((append) => this.#append(append, batch)));
    this.#accept(batch);
    return outcomes;
  }

  /** Runs the work and whatever goes with it in one transaction. */
  #run<T>(batch: Batch, work: () => T): T {
    const { ends, keys, transactor, health, meter } = this.#options;
    const startMs = performance.now();
    try {
      const result = transactor.run(() => {
        const done = work();
        ends.write(batch.stored.length);
        keys.forgetExcess();
        return done;
      });
      if (batch.stored.length > 0) {
        meter.commit(batch.stored.length, performance.now() - startMs, transactor.commitStatementMs);
      }
      return result;
    } catch (error) {
      this.#takeBack(batch);
      throw health.failure(error);
    }
  }

  #append({ drafts, idempotencyKey }: Append, batch: Batch): Outcome {
    const { bounds, keys } = this.#options;
    if (idempotencyKey !== undefined) {
      const earlier = keys.find(idempotencyKey, drafts, batch.nowMs);
      if (earlier) return earlier;
      keys.remember(idempotencyKey, drafts, bounds.head + batch.stored.length + 1, batch.nowMs);
    }
    return { appended: { events: this.#write(drafts, batch), replayed: false } };
  }

  /** Writes the events of one append, of the time of the batch. */
  #write(drafts: readonly Draft[], batch: Batch): Event[] {
    const { bounds, chains, events } = this.#options;
    const { nowMs, stored, series } = batch;
    const createdAt = formatTime(nowMs);
    return drafts.map(({ topic, source, data }) => {
      const id = bounds.head + stored.length + 1;
      const one = this.#seriesOf(topic, source, batch);
      const event = new Event(id, one, createdAt, data);
      const { previous, skip, depth } = chains.append(one, id);
      const made = { id, seriesId: one.id, createdAtMs: nowMs, previous, skip, depth, event };
      stored.push(made);
      series.push(one);
      events.insert(made, data);
      return event;
    });
  }

  #seriesOf(topic: Draft["topic"], source: string, { created }: Batch): Series {
    const { series, chains } = this.#options;
    const known = series.find(topic, source);
    if (known) return known;
    const made = series.create(topic, source);
    created.push(made);
    chains.begin(made);
    return made;
  }

  #accept({ nowMs, stored }: Batch): void {
    const { bounds, ends, recent, keys, health, listeners } = this.#options;
    keys.committed();
    if (stored.length === 0) return;
    health.recover();
    bounds.extendTo(bounds.head + stored.length, nowMs);
    ends.committed(stored.length, bounds.head);
    for (const one of stored) recent.add(one);
    listeners.call(stored.map(({ event }) => event));
  }

  #takeBack({ stored, series, created }: Batch): void {
    const { chains, keys, series: table } = this.#options;
    for (let index = stored.length - 1; index >= 0; index--) {
      const [one, event] = [series[index], stored[index]];
      if (one && event) chains.takeBack(one, event.previous);
    }
    for (const one of created) table.forget(one.id);
    keys.rolledBack();
  }
}

/** What whoever comes too late is rejected with. */
export function shuttingDown(): BusError {
  return new BusError("shutting_down", "the history is closed");
}
