import type { Database, Statement } from "bun:sqlite";
import type { ChangeSource, ConsumerChange, ConsumerRecord, ConsumerStore } from "../../bus/consumers/ports.ts";
import type { Damage } from "../file/damage.ts";
import { Meta } from "../file/meta.ts";
import {
  CONSUMER_COLUMNS,
  type ConsumerRow,
  consumerRow,
  DELIVERY_COLUMNS,
  type DeliveryRow,
  deliveryRow,
  isIntact,
  stateOf,
  taskOf,
} from "./consumer-rows.ts";

export interface ConsumerTableOptions {
  readonly database: Database;
  readonly damage: Damage;
  /** Runs the work in a transaction and commits it durably. Throws the `BusError` for any failure. */
  readonly write: (work: () => void) => void;
  /** Number of consumers that the file should contain. */
  readonly expected: number;
}

/** The consumers in the history file, beside the events. */
export class ConsumerTable implements ConsumerStore {
  readonly #write: (work: () => void) => void;
  readonly #meta: Meta;
  readonly #put: Statement;
  readonly #delete: Statement;
  readonly #putDelivery: Statement;
  readonly #deleteDelivery: Statement;
  readonly #deleteDeliveries: Statement;
  readonly #records: readonly ConsumerRecord[];
  /** The rows of each consumer, as of the last commit. */
  readonly #rows = new Map<string, Set<number>>();
  #source: ChangeSource | undefined;
  /** What the open transaction has written. */
  #written: readonly ConsumerChange[] = [];

  constructor({ database, damage, write, expected }: ConsumerTableOptions) {
    this.#write = write;
    this.#meta = new Meta(database);
    this.#put = database.prepare(
      `insert or replace into consumer (${CONSUMER_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#delete = database.prepare("delete from consumer where name = ?");
    this.#putDelivery = database.prepare(
      `insert or replace into consumer_delivery (${DELIVERY_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#deleteDelivery = database.prepare("delete from consumer_delivery where consumer = ? and id = ?");
    this.#deleteDeliveries = database.prepare("delete from consumer_delivery where consumer = ?");
    this.#records = readConsumers(database, damage, expected);
    for (const { name, tasks } of this.#records) this.#rows.set(name, new Set(tasks.map(({ row }) => row)));
  }

  /** The consumers that were in the file when it was opened. */
  all(): readonly ConsumerRecord[] {
    return this.#records;
  }

  attach(source: ChangeSource): void {
    this.#source = source;
  }

  save(): void {
    try {
      this.#write(() => this.write());
    } catch (error) {
      this.rolledBack();
      throw error;
    }
    this.committed();
  }

  /** Writes what has changed, in the open transaction. `committed` or `rolledBack` follows. */
  write(): void {
    this.#written = this.#source?.changes() ?? [];
    for (const change of this.#written) this.#writeOne(change);
    const isOther = ({ name, state }: ConsumerChange) => (state === undefined) === this.#rows.has(name);
    if (!this.#written.some(isOther)) return;
    const names = new Set(this.#rows.keys());
    for (const { name, state } of this.#written)
      if (state) names.add(name);
      else names.delete(name);
    this.#meta.set("consumers", names.size);
  }

  /** The transaction is on the disk. */
  committed(): void {
    if (this.#written.length === 0) return;
    for (const { name, state, put, removed } of this.#written) {
      const rows = this.#rows.get(name) ?? new Set();
      for (const { row } of put) rows.add(row);
      for (const row of removed) rows.delete(row);
      if (state) this.#rows.set(name, rows);
      else this.#rows.delete(name);
    }
    this.#written = [];
    this.#source?.saved();
  }

  /** The transaction has failed. */
  rolledBack(): void {
    this.#written = [];
  }

  #writeOne({ name, state, put, removed }: ConsumerChange): void {
    if (state === undefined) {
      this.#delete.run(name);
      this.#deleteDeliveries.run(name);
      return;
    }
    const rows = this.#rows.get(name);
    let count = rows?.size ?? 0;
    for (const row of removed) {
      if (!rows?.has(row)) continue;
      this.#deleteDelivery.run(name, row);
      count--;
    }
    for (const task of put) {
      this.#putDelivery.run(...valuesOf(deliveryRow(name, task)));
      if (!rows?.has(task.row)) count++;
    }
    this.#put.run(...valuesOf(consumerRow(state, count)));
  }
}

/** Reads the consumers that are intact; notes what is not. */
export function readConsumers(database: Database, damage: Damage, expected: number): ConsumerRecord[] {
  const consumers = database.query<ConsumerRow, []>(`select ${CONSUMER_COLUMNS} from consumer`).all();
  if (consumers.length !== expected) damage.note(`${consumers.length} of ${expected} consumers are present`);
  const deliveries = database.query<DeliveryRow, []>(`select ${DELIVERY_COLUMNS} from consumer_delivery`).all();
  const byConsumer = Map.groupBy(deliveries, ({ consumer }) => consumer);
  const names = new Set(consumers.map(({ name }) => name));
  if (byConsumer.keys().some((name) => !names.has(name))) damage.note("the consumer of a delivery is missing");
  return consumers.flatMap((row) => {
    const rows = byConsumer.get(row.name) ?? [];
    const problem = problemOf(row, rows);
    if (problem !== undefined) damage.note(problem);
    if (!isIntact(row)) return [];
    return [{ ...stateOf(row), tasks: rows.filter(isIntact).map(taskOf) }];
  });
}

/** What is wrong with a consumer and its deliveries; undefined if nothing is. */
function problemOf(row: ConsumerRow, deliveries: readonly DeliveryRow[]): string | undefined {
  if (!isIntact(row)) return "a consumer does not match its checksum: it is not served";
  const intact = deliveries.filter(isIntact).length;
  if (intact === row.deliveries && deliveries.length === intact) return undefined;
  return `${intact} of ${row.deliveries} deliveries of the consumer ${row.name} are present`;
}

function valuesOf(row: ConsumerRow | DeliveryRow): (string | number)[] {
  return Object.values(row);
}
