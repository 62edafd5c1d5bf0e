import type { DeliveredGap } from "../../protocol/consumer.ts";
import { BusError } from "../errors.ts";

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
  /** Undefined: the consumer was deleted, with its rows. `kept`: only rows change. */
  readonly state: ConsumerState | "kept" | undefined;
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
  /**
   * Saves the changes now, in a commit of their own. Throws what `EventLog.append` rejects with; on a cluster, where
   * that takes a while, it resolves once they are saved, or rejects.
   */
  save(): void | Promise<void>;
}

/** Which node of a cluster serves the consumers. */
export interface Lease {
  /** The run of that node; empty if none does. */
  readonly node: string;
  /** Rises whenever the node renews the lease or gives it back, or another node takes it. */
  readonly revision: number;
}

/** The consumers as a node of a cluster has adopted them, whichever node serves them. */
export interface ConsumerMirror {
  readonly lease: Lease;
  /** The names of all consumers. */
  names(): ReadonlySet<string>;
  /** Every consumer that is intact, as of now. */
  read(): ConsumerRecord[];
}

/** The node that was asked no longer serves the consumers. */
export class HostLost extends BusError {
  /** Whether it has certainly not carried out the request. */
  readonly isCertain: boolean;

  constructor(isCertain: boolean) {
    super("unavailable", "the node that serves the consumers was lost: try again");
    this.isCertain = isCertain;
  }
}

/** The node of a cluster that serves the consumers, as the other nodes reach it. */
export interface ConsumerHost {
  /** Whether it is this node, and it may hand out and record now. */
  readonly isHere: boolean;
  /** The names of all consumers, as adopted here. */
  names(): ReadonlySet<string>;
  /**
   * Resolves with whether it is this node. If none serves them, waits for one, and rejects with `unavailable` if that
   * takes too long. If there are no consumers, it waits only with `isNeeded`, and otherwise resolves with true.
   */
  find(isNeeded: boolean): Promise<boolean>;
  /** Sends a request to it. Rejects with `HostLost`, or with the signal's reason. */
  ask(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  /** Handles the requests of other nodes from now on. The handler may throw `HostLost`. */
  onAsk(handle: (request: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>): void;
}
