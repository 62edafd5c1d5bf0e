import type { Database } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import { readConsumers } from "../consumers/consumer-table.ts";
import { readLease } from "../consumers/lease-row.ts";
import { SeriesTable } from "../events/series-table.ts";
import { Damage } from "../file/damage.ts";
import { inspectFile, realPath } from "../file/file-inspection.ts";
import { readMeta } from "../file/meta.ts";
import { nextTurn } from "../file/next-turn.ts";
import { FileError } from "../file/open-error.ts";
import { openSnapshot } from "../file/snapshot.ts";
import { freshSchema, refuseOpenHere, SCHEMA_VERSION, schemaOf, schemaVersionOf } from "../file/sqlite.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import { isKeyIntact, KEY_COLUMNS, type KeyRow } from "../keys/key-row.ts";
import { isTokenIntact, TOKEN_COLUMNS, type TokenRow } from "../keys/tokens.ts";
import { readWriters } from "../keys/writers.ts";
import { ChainCheck } from "./chain-check.ts";
import { type CheckedHistory, checkedHistory } from "./checked-history.ts";
import { EventCheck } from "./event-check.ts";

/** Series in memory, some 6 MB. The others are read again. */
const CACHED_SERIES = 20_000;
/** Idempotency keys between two turns of the loop. */
const PAGE_KEYS = 5000;

export interface CheckOptions {
  /** Called with each damage. */
  onDamage: (detail: string) => void;
  /** Called with findings that may be no damage: omitted commits, as after a power failure. */
  onWarning?: (detail: string) => void;
  /** Called now and then with what is being checked, and how much of it is done: 0 to 1. */
  onProgress?: (what: string, done: number) => void;
}

export interface CheckReport {
  readonly isSound: boolean;
  /** Number of damages that were too many to report. */
  readonly unlisted: number;
  /** Number of intact events, and the range of the ids that are kept. */
  readonly events: number;
  readonly floor: number;
  readonly head: number;
}

/**
 * Checks all of a history file that no process uses, without changing it, and reports the damage.
 *
 * Reads it step by step: the memory is bounded, however many events and series there are. Throws `unavailable` if there
 * is no such history, or if it cannot be read.
 */
export async function checkFile(name: string, options: CheckOptions): Promise<CheckReport> {
  const path = realPath(name);
  refuseOpenHere(path);
  const { isNew, damage: lost, warnings } = inspectFile(path, SCHEMA_VERSION);
  if (isNew) throw new FileError(`${path} is missing or empty: it contains no history`);
  const database = openSnapshot(path);
  try {
    const damage = new Damage(options.onDamage);
    if (lost !== undefined) damage.note(lost);
    for (const warning of warnings) options.onWarning?.(warning);
    if (schemaVersionOf(database) === SCHEMA_VERSION) {
      return await new Check(database, damage, options.onProgress).run();
    }
    if (damage.isFound) return { isSound: false, unlisted: 0, events: 0, floor: 1, head: 0 };
    throw new FileError(`${path} has an older schema: start the server on it once to upgrade it`);
  } finally {
    database.close(true);
  }
}

class Check {
  readonly #database: Database;
  readonly #damage: Damage;
  readonly #onProgress: (what: string, done: number) => void;

  constructor(database: Database, damage: Damage, onProgress: CheckOptions["onProgress"] = () => {}) {
    this.#database = database;
    this.#damage = damage;
    this.#onProgress = onProgress;
  }

  async run(): Promise<CheckReport> {
    this.#onProgress("structure", 0);
    await this.#attempt("structure", () => checkStructure(this.#database, this.#damage));
    await this.#attempt("schema", () => checkSchema(this.#database, this.#damage));
    let report = { events: 0, floor: 0, head: 0 };
    await this.#attempt("history", async () => {
      const meta = readMeta(this.#database);
      await this.#attempt("tokens", () => checkTokens(this.#database, this.#damage, meta.tokens));
      await this.#attempt("last entries of nodes", () => {
        readWriters(this.#database, this.#damage, meta.writers);
      });
      await this.#attempt("consumers", () => {
        readConsumers(this.#database, this.#damage, meta.consumers);
      });
      await this.#attempt("lease of the consumers", () => {
        readLease(this.#database, meta.consumer_lease);
      });
      report = await this.#checkHistory(checkedHistory(this.#database, this.#damage, meta));
    });
    await this.#follow("idempotency keys", checkKeys(this.#database, this.#damage));
    return { isSound: !this.#damage.isFound, unlisted: this.#damage.unlisted, ...report };
  }

  async #checkHistory(history: CheckedHistory): Promise<{ events: number; floor: number; head: number }> {
    const series = new SeriesTable({ database: this.#database, damage: this.#damage, maxCached: CACHED_SERIES });
    const events = new EventCheck(history, series);
    await this.#follow("series", checkSeries(series));
    await this.#follow("events", events.run());
    await this.#follow("chains", new ChainCheck(history, events.events).run());
    return { events: events.sound, floor: history.floor, head: history.head };
  }

  /** Does the work in turns of the loop. */
  async #follow(what: string, work: Iterable<number>): Promise<void> {
    await this.#attempt(what, async () => {
      for (const done of work) {
        this.#onProgress(what, done);
        await nextTurn();
      }
    });
  }

  /** Does the work; what SQLite throws meanwhile is a finding, too. */
  async #attempt(what: string, work: () => void | Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isSqliteError(error) && !(error instanceof BusError)) throw error;
      this.#damage.note(`the ${what} cannot be read: ${error.message}`);
    }
  }
}

/** Checks what SQLite itself can find: trees, indexes, free pages, types. */
function checkStructure(database: Database, damage: Damage): void {
  const rows = database.query("pragma integrity_check").values();
  for (const [text] of rows) if (text !== "ok") damage.note(`SQLite: ${String(text).replaceAll("\n", " ")}`);
}

function checkSchema(database: Database, damage: Damage): void {
  const expected = freshSchema();
  const found = schemaOf(database);
  for (const name of new Set([...expected.keys(), ...found.keys()])) {
    if (expected.get(name) !== found.get(name)) damage.note(`the schema of ${name} is not the one it was created with`);
  }
}

/** Checks the rows of the series. Missing ones are found by their events. */
function* checkSeries(series: SeriesTable): Generator<number> {
  while (series.verifyNext(() => [])) yield series.verified;
}

function* checkKeys(database: Database, damage: Damage): Generator<number> {
  const [count = 0] = database.query("select count(*) from idempotency_key").values().flat() as number[];
  let seen = 0;
  let last = 0;
  for (const row of database.query<KeyRow, []>(`select ${KEY_COLUMNS} from idempotency_key order by id`).iterate()) {
    if (!isKeyIntact(row)) damage.note(`idempotency key ${JSON.stringify(row.key)}: checksum mismatch`);
    if (last > 0 && row.id > last + 1) damage.note(`idempotency keys ${last + 1} to ${row.id - 1}: missing`);
    last = row.id;
    if (++seen % PAGE_KEYS === 0) yield seen / count;
  }
}

function checkTokens(database: Database, damage: Damage, expected: number): void {
  const rows = database.query<TokenRow, []>(`select ${TOKEN_COLUMNS} from token`).all();
  if (rows.length !== expected) damage.note(`${rows.length} of ${expected} tokens are present`);
  for (const row of rows) {
    if (!isTokenIntact(row)) damage.note(`token ${JSON.stringify(row.name)}: checksum mismatch`);
  }
}
