import type { Database, Statement } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";

const NAMES = [
  "pruned_to",
  "pruned_at",
  "ends_to",
  "head",
  "tokens",
  "writers",
  "prune_to",
  "consumers",
  "consumer_lease",
  "stream_place",
  "stream_created_s",
  "stream_created_ns",
] as const;
export type MetaName = (typeof NAMES)[number];
export type MetaValues = Readonly<Record<MetaName, number>>;

/** The numbers that describe the history as a whole. */
export class Meta {
  readonly #update: Statement;

  constructor(database: Database) {
    this.#update = database.prepare("update meta set value = ?, checksum = ? where name = ?");
  }

  /** Sets a number in the open transaction. */
  set(name: MetaName, value: number): void {
    this.#update.run(value, checksumOf(name, value), name);
  }
}

/** Writes the numbers that are not there yet, as those of an empty history. */
export function insertMeta(database: Database): void {
  using insert = database.prepare("insert or ignore into meta (name, value, checksum) values (?, ?, ?)");
  for (const name of NAMES) insert.run(name, 0, checksumOf(name, 0));
}

/**
 * Reads every number. Throws `unavailable` if one of them is damaged: without them it is unknown which ids were
 * assigned and which events were removed on purpose.
 */
export function readMeta(database: Database): MetaValues {
  const values: Partial<Record<MetaName, number>> = {};
  const rows = database.query("select name, value, checksum from meta").values() as [string, number, number][];
  for (const [name, value, checksum] of rows) {
    const known = NAMES.find((one) => one === name);
    if (known && checksumOf(name, value) === checksum) values[known] = value;
  }
  for (const name of NAMES) {
    if (values[name] === undefined) throw new BusError("unavailable", `${name} in the table meta is damaged`);
  }
  return values as MetaValues;
}

function checksumOf(name: string, value: number): number {
  return Bun.hash.crc32(`${name}=${value}`);
}
