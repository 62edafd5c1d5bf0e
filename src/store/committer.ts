import { BusError } from "../bus/errors.ts";
import { Event, formatTime } from "../bus/event.ts";
import type { Meter } from "../bus/meter.ts";
import type { Draft } from "../bus/ports.ts";
import type { Append, Outcome } from "./append-queue.ts";
import type { ConsumerTable } from "./consumers/consumer-table.ts";
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
  readonly consumers: ConsumerTable;
  readonly transactor: Transactor;
  readonly health: WriteHealth;
  readonly meter: Meter;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** The time by which the age of keys is measured. */
  readonly ageClock: () => number;
}

type Listener = (batch: readonly Event[]) => void;

/** What the work of a transaction may do. */
export interface OpenBatch {
  /**
   * Appends with this time, in milliseconds since 1970, or with that of the event before if it is later. `ageMs` is the
   * time by which the age of an earlier key is measured; default that of the event.
   */
  append(append: Keyed, clockMs: number, ageMs?: number): Outcome;
  /** The newest id, the appended ones included. */
  readonly head: number;
}

type Keyed = Pick<Append, "drafts" | "idempotencyKey">;

interface Timed {
  readonly append: Keyed;
  readonly atMs: number;
  readonly ageMs: number;
}

/** What one transaction appends, in id order. */
interface Batch {
  /** The time of the newest event. */
  lastAtMs: number;
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
  readonly #consumers: ConsumerTable;
  readonly #transactor: Transactor;
  readonly #health: WriteHealth;
  readonly #meter: Meter;
  readonly #clock: () => number;
  readonly #ageClock: () => number;
  readonly #listeners: Listener[] = [];

  constructor(options: CommitterOptions) {
    const {
      bounds,
      series,
      ends,
      chains,
      events,
      recent,
      keys,
      consumers,
      transactor,
      health,
      meter,
      clock,
      ageClock,
    } = options;
    this.#bounds = bounds;
    this.#series = series;
    this.#ends = ends;
    this.#chains = chains;
    this.#events = events;
    this.#recent = recent;
    this.#keys = keys;
    this.#consumers = consumers;
    this.#transactor = transactor;
    this.#health = health;
    this.#meter = meter;
    this.#clock = clock;
    this.#ageClock = ageClock;
  }

  /** Calls the listener after every commit, after the listeners that were added before it. */
  onCommit(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** Commits the group, then calls the listeners. Throws one `BusError` for the whole group. */
  commit(group: readonly Append[]): readonly Outcome[] {
    const [atMs, ageMs] = [this.#clock(), this.#ageClock()];
    return this.transact((batch) => group.map((append) => batch.append(append, atMs, ageMs)));
  }

  /**
   * Does the work in one transaction, calls `accept` once it is committed, then the listeners. Throws the `BusError`;
   * then nothing was written.
   */
  transact<T>(work: (batch: OpenBatch) => T, accept: () => void = () => {}): T {
    this.#health.requireWritable();
    const batch: Batch = { lastAtMs: this.#bounds.lastAtMs, stored: [], series: [], created: [] };
    const headOf = () => this.#bounds.head + batch.stored.length;
    const open: OpenBatch = {
      append: (append, clockMs, ageMs) => {
        const atMs = Math.max(Math.trunc(clockMs), batch.lastAtMs);
        return this.#append({ append, atMs, ageMs: ageMs ?? atMs }, batch);
      },
      get head() {
        return headOf();
      },
    };
    const result = this.#run(batch, () => work(open));
    this.#accept(batch, accept);
    return result;
  }

  /** Runs the work, and everything that belongs to the commit, in one transaction. */
  #run<T>(batch: Batch, work: () => T): T {
    const startMs = performance.now();
    try {
      const result = this.#transactor.run(() => {
        const done = work();
        this.#health.requireRoom(batch.stored);
        this.#ends.write(batch.stored.length);
        this.#keys.forgetExcess();
        this.#consumers.write();
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

  #append({ append, atMs, ageMs }: Timed, batch: Batch): Outcome {
    const { drafts, idempotencyKey } = append;
    if (idempotencyKey !== undefined) {
      const earlier = this.#keys.find(idempotencyKey, drafts, ageMs);
      if (earlier) return earlier;
      this.#keys.remember(idempotencyKey, drafts, this.#bounds.head + batch.stored.length + 1, atMs);
    }
    return { appended: { events: this.#write(drafts, atMs, batch), replayed: false } };
  }

  #write(drafts: readonly Draft[], atMs: number, batch: Batch): Event[] {
    const { stored, series } = batch;
    const createdAt = formatTime(atMs);
    if (drafts.length > 0) batch.lastAtMs = atMs;
    return drafts.map(({ topic, source, data }) => {
      const id = this.#bounds.head + stored.length + 1;
      const one = this.#seriesOf(topic, source, batch);
      const event = new Event(id, one, createdAt, data);
      const { previous, skip, depth } = this.#chains.append(one, id);
      const made = { id, seriesId: one.id, createdAtMs: atMs, previous, skip, depth, event };
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

  #accept({ lastAtMs, stored, series }: Batch, accept: () => void): void {
    this.#keys.committed();
    this.#consumers.committed();
    if (stored.length === 0) {
      accept();
      return;
    }
    this.#health.recover();
    this.#bounds.extendTo(this.#bounds.head + stored.length, lastAtMs);
    this.#ends.committed(stored.length, this.#bounds.head);
    for (const [index, one] of series.entries()) {
      const event = stored[index];
      if (event) this.#recent.add(event, one);
    }
    accept();
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
    this.#consumers.rolledBack();
  }
}

/** The error for calls after `close`. */
export function shuttingDown(): BusError {
  return new BusError("shutting_down", "the history is closed");
}
