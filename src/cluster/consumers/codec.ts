import type { ConsumerChange, ConsumerState, TaskRecord } from "../../bus/consumers/ports.ts";
import { listOf, objectOf, textOf, wholeOf } from "../codec-values.ts";

type Members = Readonly<Record<string, unknown>>;

/** Reads what `JSON.stringify` has written of a change of a consumer. Throws if it is something else. */
export function consumerChangeOf({ name, state, put, removed }: Members): ConsumerChange {
  return {
    name: textOf(name),
    state: state === undefined || state === "kept" ? state : stateOf(objectOf(state)),
    put: listOf(put).map((one) => taskOf(objectOf(one))),
    removed: listOf(removed).map(wholeOf),
  };
}

function stateOf({ name, settings, place, isPaused, lastError, gaps, secrets }: Members): ConsumerState {
  return {
    name: textOf(name),
    settings: textOf(settings),
    place: wholeOf(place),
    isPaused: isPaused === true,
    lastError: textOf(lastError),
    gaps: wholeOf(gaps),
    secrets: textOf(secrets),
  };
}

function taskOf({ row, id, gap, lane, laneFrom, isDead, attempts, atMs, reason }: Members): TaskRecord {
  return {
    row: wholeOf(row),
    id: wholeOf(id),
    gap: gap === undefined ? undefined : gapOf(objectOf(gap)),
    lane: textOf(lane),
    laneFrom: wholeOf(laneFrom),
    isDead: isDead === true,
    attempts: wholeOf(attempts),
    atMs: wholeOf(atMs),
    reason: textOf(reason),
  };
}

function gapOf({ after, next }: Members): NonNullable<TaskRecord["gap"]> {
  return { after: wholeOf(after), next: wholeOf(next) };
}
