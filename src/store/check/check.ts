import type { Database } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
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
import { ChainCheck } from "./chain-check.ts";
import { type CheckedHistory, checkedHistory } from "./checked-history.ts";
import { EventCheck } from "./event-check.ts";

/** Series that are kept in memory, some 6 MB. Those of other events are read again. */
const CACHED_SERIES = 20_000;
/** Idempotency keys between two turns of the loop. */
const PAGE_KEYS = 5000;

export interface CheckOptions {
  /** Told of each thing that is damaged. */
  onDamage: (detail: string) => void;
  /** Called with what is no damage for sure: commits that are left out, as when the power failed. */
  onWarning?: (detail: string) => void;
  /** Told now and then what is being looked at, and how much of it is done: 0 to 1. */
  onProgress?: (what: string, done: number) => void;
}

export interface CheckReport {
  readonly isSound: boolean;
  /** Things that are damaged, but were too many to be told. */
  readonly untold: number;
  /** Events that are kept and sound, and the range of the ids that are kept. */
  readonly events: number;
  readonly floor: number;
  readonly head: number;
}

/**
 * Looks at all of a history file that nobody uses, without changing it, and names what is damaged.
 *
 * Reads it piece by piece: the memory that this takes is bounded, however many events and series there are.
 * Throws `unavailable` when there is no such history, or when it cannot be looked at.
 */
export async function checkFile(name: string, options: CheckOptions): Promise<CheckReport> {
  const path = realPath(name);
  refuseOpenHere(path);
  const { isNew, damage: lost, warnings } = inspectFile(path, SCHEMA_VERSION);
  if (isNew) throw new FileError(`${path} is missing or empty: there is nothing to check`);
  const database = openSnapshot(path);
  try {
    const damage = new Damage(options.onDamage);
    if (lost !== undefined) damage.note(lost);
    for (const warning of warnings) options.onWarning?.(warning);
    if (schemaVersionOf(database) === SCHEMA_VERSION) {
      return await new Check(database, damage, options.onProgress).run();
    }
    if (damage.isFound) return { isSound: false, untold: 0, events: 0, floor: 1, head: 0 };
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
      report = await this.#checkHistory(checkedHistory(this.#database, this.#damage, meta));
    });
    await this.#follow("idempotency keys", checkKeys(this.#database, this.#damage));
    return { isSound: !this.#damage.isFound, untold: this.#damage.untold, ...report };
  }

  async #checkHistory(history: CheckedHistory): Promise<{ events: number; floor: number; head: number }> {
    const series = new SeriesTable({ database: this.#database, damage: this.#damage, maxCached: CACHED_SERIES });
    const events = new EventCheck(history, series);
    await this.#follow("series", checkSeries(series));
    await this.#follow("events", events.run());
    await this.#follow("chains", new ChainCheck(history, events.events).run());
    return { events: events.sound, floor: history.floor, head: history.head };
  }

  /** Goes on with the work in turns of the loop. */
  async #follow(what: string, work: Iterable<number>): Promise<void> {
    await this.#attempt(what, async () => {
      for (const done of work) {
        this.#onProgress(what, done);
        await nextTurn();
      }
    });
  }

  /** What SQLite throws on the way is a finding, too. */
  async #attempt(what: string, work: () => void | Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isSqliteError(error) && !(error instanceof BusError)) throw error;
      this.#damage.note(`the ${what} cannot be read: ${error.message}`);
    }
  }
}

/** What SQLite itself can find: trees, indexes, free pages, types. */
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

/** Which series are missing shows in the events. */
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
