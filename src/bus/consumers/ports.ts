import type { DeliveredGap } from "../../protocol/consumer.ts";

/** A row for a task that must outlive the process. */
export interface TaskRecord {
  /** Unique within its consumer. */
  readonly row: number;
  /** The id of the event; the first missing id of a gap. */
  readonly id: number;
  readonly gap: DeliveredGap | undefined;
  /** The topic, if the order is by topic. */
  readonly lane: string;
  /** The events of its lane after this id are due only after it; 0 if it has none. */
  readonly laneFrom: number;
  readonly isDead: boolean;
  /** Attempts that have failed. */
  readonly attempts: number;
  /** When it is due, or was given up, in milliseconds since 1970. */
  readonly atMs: number;
  /** Why the last attempt failed. */
  readonly reason: string;
}

/** The state of a consumer, besides its tasks. */
export interface ConsumerState {
  readonly name: string;
  /** The settings as JSON. */
  readonly settings: string;
  /** Every event up to this id is settled or has a row. */
  readonly place: number;
  readonly isPaused: boolean;
  readonly lastError: string;
  /** Gaps delivered since it was created. */
  readonly gaps: number;
  /** The secrets that sign what it posts, as JSON. */
  readonly secrets: string;
}

export interface ConsumerRecord extends ConsumerState {
  readonly tasks: readonly TaskRecord[];
}

/** What has changed in one consumer since the last save. */
export interface ConsumerChange {
  readonly name: string;
  /** Undefined: the consumer was deleted, with its rows. */
  readonly state: ConsumerState | undefined;
  /** Rows that are new or have changed. */
  readonly put: readonly TaskRecord[];
  /** Rows that are gone. */
  readonly removed: readonly number[];
}

/** Where the changes come from. */
export interface ChangeSource {
  /** What has changed since the last call of `saved`. */
  changes(): readonly ConsumerChange[];
  /** The changes that were returned last survive a crash. */
  saved(): void;
}

/** The store of the consumers. */
export interface ConsumerStore {
  /** Every consumer that is intact, as it was when the store was opened. */
  all(): readonly ConsumerRecord[];
  /** From now on every commit of events saves the changes of this source, too. */
  attach(source: ChangeSource): void;
  /** Saves the changes now, in a commit of their own. Throws what `EventLog.append` rejects with. */
  save(): void;
}
