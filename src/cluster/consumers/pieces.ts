import type { ConsumerChange } from "../../bus/consumers/ports.ts";

/** Characters of rows in one piece: far below what NATS takes by default, a mebibyte. */
const MAX_CHARACTERS = 256 * 1024;
/** Characters that the numbers and names of a row take. */
const ROW_CHARACTERS = 200;
/** Rows that are gone, in one piece. */
const MAX_REMOVED = 16_384;

/**
 * Divides changes so that each piece fits into an entry. Usually there is one.
 *
 * A place is saved only with, or after, the rows of everything before it that is not settled, so the last pieces may be
 * lost: what they had is then delivered again.
 */
export function piecesOf(changes: readonly ConsumerChange[]): ConsumerChange[][] {
  const pieces: ConsumerChange[][] = [];
  let [piece, characters]: [ConsumerChange[], number] = [[], 0];
  for (const part of changes.flatMap(partsOf)) {
    const size = sizeOf(part);
    if (piece.length > 0 && characters + size > MAX_CHARACTERS) {
      pieces.push(piece);
      [piece, characters] = [[], 0];
    }
    piece.push(part);
    characters += size;
  }
  return [...pieces, piece];
}

/** New rows come before the state; removed rows come with it and after it. */
function partsOf(change: ConsumerChange): ConsumerChange[] {
  const { name, state, put, removed } = change;
  if (sizeOf(change) <= MAX_CHARACTERS) return [change];
  const before: ConsumerChange[] = [];
  let [rows, characters]: [ConsumerChange["put"][number][], number] = [[], 0];
  for (const row of put) {
    rows.push(row);
    characters += rowSizeOf(row);
    if (characters < MAX_CHARACTERS) continue;
    before.push({ name, state: "kept", put: rows, removed: [] });
    [rows, characters] = [[], 0];
  }
  const after: ConsumerChange[] = [];
  for (let at = MAX_REMOVED; at < removed.length; at += MAX_REMOVED) {
    after.push({ name, state: "kept", put: [], removed: removed.slice(at, at + MAX_REMOVED) });
  }
  return [...before, { name, state, put: rows, removed: removed.slice(0, MAX_REMOVED) }, ...after];
}

function sizeOf({ state, put, removed }: ConsumerChange): number {
  const rows = put.reduce((sum, row) => sum + rowSizeOf(row), 0);
  const own = typeof state === "object" ? state.settings.length + state.secrets.length + state.lastError.length : 0;
  return ROW_CHARACTERS + own + rows + removed.length * (MAX_CHARACTERS / MAX_REMOVED);
}

function rowSizeOf({ lane, reason }: ConsumerChange["put"][number]): number {
  return ROW_CHARACTERS + lane.length + reason.length;
}
