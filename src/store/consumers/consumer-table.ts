import type { Database, Statement } from "bun:sqlite";
import type {
  ChangeSource,
  ConsumerChange,
  ConsumerMirror,
  ConsumerRecord,
  ConsumerState,
  ConsumerStore,
  Lease,
} from "../../bus/consumers/ports.ts";
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
import { LeaseRow } from "./lease-row.ts";

export interface ConsumerTableOptions {
  readonly database: Database;
  readonly damage: Damage;
  /** Runs the work in a transaction and commits it durably. Throws the `BusError` for any failure. */
  readonly write: (work: () => void) => void;
  /** Number of consumers that the file should contain. */
  readonly expected: number;
  /** The revision of the lease, as the file has it. */
  readonly leaseRevision: number;
}

/** The consumers in the history file, beside the events. */
export class ConsumerTable implements ConsumerStore, ConsumerMirror {
  readonly #write: (work: () => void) => void;
  readonly #meta: Meta;
  readonly #put: Statement;
  readonly #delete: Statement;
  readonly #putDelivery: Statement;
  readonly #deleteDelivery: Statement;
  readonly #deleteDeliveries: Statement;
  readonly #database: Database;
  readonly #damage: Damage;
  readonly #lease: LeaseRow;
  readonly #opened: readonly ConsumerRecord[];
  /** The rows of each consumer, those of the open transaction included. */
  #rows: Map<string, Set<number>>;
  #source: ChangeSource | undefined;
  /** The open transaction has written something. */
  #isTouched = false;
  #isSaving = false;

  constructor({ database, damage, write, expected, leaseRevision }: ConsumerTableOptions) {
    this.#database = database;
    this.#damage = damage;
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
    this.#opened = readConsumers(database, damage, expected);
    this.#rows = rowsOf(this.#opened);
    this.#lease = new LeaseRow(database, leaseRevision);
  }

  /** The consumers that were in the file when it was opened. */
  all(): readonly ConsumerRecord[] {
    return this.#opened;
  }

  read(): ConsumerRecord[] {
    return readConsumers(this.#database, this.#damage, this.#rows.size);
  }

  /** As of the last commit. */
  names(): ReadonlySet<string> {
    return new Set(this.#rows.keys());
  }

  get lease(): Lease {
    return this.#lease.saved;
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
    const changes = this.#source?.changes() ?? [];
    this.#isSaving = changes.length > 0;
    this.#writeAll(changes);
  }

  /** The node of an entry takes the lease, in the open transaction. Returns whether that was effective. */
  claim(node: string, revision: number): boolean {
    this.#isTouched = true;
    return this.#lease.claim(node, revision);
  }

  /** The node of an entry saves changes, in the open transaction. Returns whether they were effective. */
  adopt(node: string, changes: readonly ConsumerChange[], isLast: boolean): boolean {
    this.#isTouched = true;
    if (!this.#lease.renew(node, isLast)) return false;
    this.#writeAll(changes);
    return true;
  }

  /** The transaction is on the disk. */
  committed(): void {
    if (!this.#isTouched) return;
    this.#isTouched = false;
    this.#lease.committed();
    if (this.#isSaving) this.#source?.saved();
    this.#isSaving = false;
  }

  /** The transaction has failed. */
  rolledBack(): void {
    if (!this.#isTouched) return;
    this.#isTouched = false;
    this.#isSaving = false;
    this.#lease.rolledBack();
    this.#rows = rowsOf(this.read());
  }

  #writeAll(changes: readonly ConsumerChange[]): void {
    if (changes.length === 0) return;
    this.#isTouched = true;
    const before = this.#rows.size;
    for (const change of changes) this.#writeOne(change);
    if (this.#rows.size !== before) this.#meta.set("consumers", this.#rows.size);
  }

  #writeOne({ name, state, put, removed }: ConsumerChange): void {
    if (state === undefined) {
      this.#rows.delete(name);
      this.#delete.run(name);
      this.#deleteDeliveries.run(name);
      return;
    }
    const known = state === "kept" ? this.#stateOf(name) : state;
    if (known === undefined) return;
    const rows = this.#rows.get(name) ?? new Set();
    this.#rows.set(name, rows);
    for (const row of removed) if (rows.delete(row)) this.#deleteDelivery.run(name, row);
    for (const task of put) {
      this.#putDelivery.run(...valuesOf(deliveryRow(name, task)));
      rows.add(task.row);
    }
    this.#put.run(...valuesOf(consumerRow(known, rows.size)));
  }

  #stateOf(name: string): ConsumerState | undefined {
    const one = `select ${CONSUMER_COLUMNS} from consumer where name = ?`;
    const row = this.#database.query<ConsumerRow, [string]>(one).get(name);
    return row === null ? undefined : stateOf(row);
  }
}

function rowsOf(records: readonly ConsumerRecord[]): Map<string, Set<number>> {
  return new Map(records.map(({ name, tasks }) => [name, new Set(tasks.map(({ row }) => row))]));
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
