import type { ConsumerState, TaskRecord } from "../../bus/consumers/ports.ts";

/** The columns of {@link ConsumerRow}. */
export const CONSUMER_COLUMNS = "name, settings, place, paused, last_error, gaps, secrets, deliveries, checksum";
/** The columns of {@link DeliveryRow}. */
export const DELIVERY_COLUMNS =
  "consumer, id, event_id, gap_next, lane, lane_from, dead, attempts, at, reason, checksum";

export interface ConsumerRow {
  readonly name: string;
  readonly settings: string;
  readonly place: number;
  readonly paused: number;
  readonly last_error: string;
  readonly gaps: number;
  readonly secrets: string;
  readonly deliveries: number;
  readonly checksum: number;
}

export interface DeliveryRow {
  readonly consumer: string;
  readonly id: number;
  readonly event_id: number;
  readonly gap_next: number;
  readonly lane: string;
  readonly lane_from: number;
  readonly dead: number;
  readonly attempts: number;
  readonly at: number;
  readonly reason: string;
  readonly checksum: number;
}

export function consumerRow(state: ConsumerState, deliveries: number): ConsumerRow {
  const { name, settings, place, isPaused, lastError, gaps, secrets } = state;
  const row = { name, settings, place, paused: Number(isPaused), last_error: lastError, gaps, secrets, deliveries };
  return { ...row, checksum: checksumOf(row) };
}

export function stateOf({ name, settings, place, paused, last_error, gaps, secrets }: ConsumerRow): ConsumerState {
  return { name, settings, place, isPaused: paused === 1, lastError: last_error, gaps, secrets };
}

export function deliveryRow(consumer: string, task: TaskRecord): DeliveryRow {
  const { row: id, id: event_id, gap, lane, laneFrom, isDead, attempts, atMs, reason } = task;
  const row = {
    consumer,
    id,
    event_id,
    gap_next: gap?.next ?? 0,
    lane,
    lane_from: laneFrom,
    dead: Number(isDead),
    attempts,
    at: atMs,
    reason,
  };
  return { ...row, checksum: checksumOf(row) };
}

export function taskOf({
  id,
  event_id,
  gap_next,
  lane,
  lane_from,
  dead,
  attempts,
  at,
  reason,
}: DeliveryRow): TaskRecord {
  const gap = gap_next === 0 ? undefined : { after: event_id - 1, next: gap_next };
  return { row: id, id: event_id, gap, lane, laneFrom: lane_from, isDead: dead === 1, attempts, atMs: at, reason };
}

/** Whether the row of either table matches its checksum. */
export function isIntact(row: ConsumerRow | DeliveryRow): boolean {
  const { checksum, ...rest } = row;
  return checksumOf(rest) === checksum;
}

/** The CRC-32 of the values, in the order of their columns, as a JSON array. */
function checksumOf(row: object): number {
  return Bun.hash.crc32(JSON.stringify(Object.values(row)));
}
