import type { Database } from "bun:sqlite";
import { BusError } from "../../bus/errors.ts";
import { Segments } from "../events/segment.ts";
import { type Series, SeriesTable } from "../events/series.ts";
import { leaveOutRemoved } from "../events/stored-counts.ts";
import { Damage } from "../file/damage.ts";
import { inspectFile, realPath } from "../file/file-inspection.ts";
import { type MetaValues, readMeta } from "../file/meta.ts";
import { nextTurn } from "../file/next-turn.ts";
import { FileError } from "../file/open-error.ts";
import { openSnapshot } from "../file/snapshot.ts";
import { freshSchema, refuseOpenHere, SCHEMA_VERSION, schemaOf, schemaVersionOf } from "../file/sqlite.ts";
import { isSqliteError } from "../file/sqlite-error.ts";
import { lossOf } from "../file/wal.ts";
import { isKeyIntact, type KeyRow } from "../keys/idempotency.ts";
import { isTokenIntact, type TokenRow } from "../keys/tokens.ts";
import { EventCheck } from "./event-check.ts";
import { IndexCheck } from "./index-check.ts";
import { TailCheck } from "./tail-check.ts";

/** Events between two turns of the loop, unless their data is large. */
const PAGE_EVENTS = 5000;

export interface CheckOptions {
  /** Told of each thing that is damaged. */
  onDamage: (detail: string) => void;
  /** Told of commits that are left out of the history, which is no damage if the power failed. */
  onLoss?: (detail: string) => void;
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
 * Reads it piece by piece: the memory that this takes grows with the number of topics and sources, not of events.
 * Throws `unavailable` when there is no such history, or when it cannot be looked at.
 */
export async function checkFile(name: string, options: CheckOptions): Promise<CheckReport> {
  const path = realPath(name);
  refuseOpenHere(path);
  const { isNew, wal } = inspectFile(path, SCHEMA_VERSION);
  if (isNew) throw new FileError(`${path} is missing or empty: there is nothing to check`);
  const database = openSnapshot(path);
  try {
    const damage = new Damage(options.onDamage);
    const loss = wal && lossOf(`${path}-wal`, wal);
    if (loss?.isOrdinary) options.onLoss?.(loss.detail);
    else if (loss) damage.note(loss.detail);
    if (schemaVersionOf(database) === SCHEMA_VERSION) {
      return await checkDatabase(database, damage, options.onProgress ?? (() => {}));
    }
    if (damage.isFound) return { isSound: false, untold: 0, events: 0, floor: 1, head: 0 };
    throw new FileError(`${path} has an older schema: start the server on it once, which renews it`);
  } finally {
    database.close(true);
  }
}

async function checkDatabase(
  database: Database,
  damage: Damage,
  onProgress: (what: string, done: number) => void,
): Promise<CheckReport> {
  onProgress("structure", 0);
  attempt("the structure", damage, () => checkStructure(database, damage));
  attempt("the schema", damage, () => checkSchema(database, damage));
  const history = { events: 0, floor: 0, head: 0 };
  await attempt("the history", damage, async () => {
    const meta = readMeta(database);
    await checkHistory(database, meta, damage, history, onProgress);
  });
  attempt("the idempotency keys", damage, () => checkKeys(database, damage));
  attempt("the tokens", damage, () => checkTokens(database, damage));
  return { isSound: !damage.isFound, untold: damage.untold, ...history };
}

/** What SQLite itself can find: trees, free pages, types. */
function checkStructure(database: Database, damage: Damage): void {
  const rows = database.query("pragma integrity_check").values();
  for (const [text] of rows) if (text !== "ok") damage.note(`SQLite: ${String(text).replaceAll("\n", " ")}`);
}

function checkSchema(database: Database, damage: Damage): void {
  const expected = freshSchema();
  const found = schemaOf(database);
  for (const name of new Set([...expected.keys(), ...found.keys()])) {
    if (expected.get(name) !== found.get(name)) damage.note(`the schema of ${name} is not the one it was made with`);
  }
}

async function checkHistory(
  database: Database,
  meta: MetaValues,
  damage: Damage,
  history: { events: number; floor: number; head: number },
  onProgress: (what: string, done: number) => void,
): Promise<void> {
  const series = new SeriesTable(database, damage);
  const parts = { database, series, damage, meta, segments: new Segments(meta.segment_size) };
  // What is damaged in the index is told of when all of it is looked at.
  attempt("the counts", damage, () => leaveOutRemoved(parts, meta.pruned_to + 1, () => {}));
  const index = new IndexCheck(parts);
  const blocks = attempt("the blocks of the index", damage, () => new TailCheck(parts));
  const witnesses = blocks ? [index, blocks] : [index];
  const events = new EventCheck(parts, {
    see(one: Series, id: number) {
      for (const witness of witnesses) witness.see(one, id);
    },
    miss: (id: number) => index.miss(id),
  });
  history.floor = events.floor;
  history.head = events.head;
  while (!events.isDone) {
    events.checkNext(PAGE_EVENTS);
    onProgress("events", (events.checked - events.floor + 1) / (events.head - events.floor + 1));
    await nextTurn();
  }
  history.events = events.sound;
  attempt("the counts", damage, () => events.finish());
  attempt("the index", damage, () => index.finish());
}

function checkKeys(database: Database, damage: Damage): void {
  for (const row of database.query<KeyRow, []>("select * from idempotency_key").iterate()) {
    if (!isKeyIntact(row)) damage.note(`idempotency key ${JSON.stringify(row.key)}: checksum mismatch`);
  }
}

function checkTokens(database: Database, damage: Damage): void {
  const rows = database.query<TokenRow, []>("select * from token").all();
  const expected = readMeta(database).tokens;
  if (rows.length !== expected) damage.note(`of ${expected} tokens there are ${rows.length}`);
  for (const row of rows) {
    if (!isTokenIntact(row)) damage.note(`token ${JSON.stringify(row.name)}: checksum mismatch`);
  }
}

/** What SQLite throws on the way is a finding, too. */
function attempt<T>(what: string, damage: Damage, check: () => T): T | undefined {
  const note = (error: unknown) => {
    if (!isSqliteError(error) && !(error instanceof BusError)) throw error;
    damage.note(`${what} cannot be read: ${error.message}`);
    return undefined;
  };
  try {
    const result = check();
    return result instanceof Promise ? (result.catch(note) as T) : result;
  } catch (error) {
    return note(error);
  }
}
