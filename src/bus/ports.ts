import type { TopicSummary } from "../protocol/event.ts";
import type { TokenRecord } from "./access/token-record.ts";
import type { ConsumerChange } from "./consumers/ports.ts";
import type { BusError } from "./errors.ts";
import type { Event } from "./event.ts";
import type { RawJson } from "./json.ts";
import type { TopicRange } from "./patterns/topic-range.ts";
import type { TopicShape } from "./patterns/topic-shape.ts";
import type { Topic } from "./topic.ts";

/** An event before it is committed: checked, without an id or a time. */
export interface Draft {
  readonly topic: Topic;
  readonly data: RawJson;
  readonly source: string;
}

/** Which events a reader wants. An omitted member is not tested. */
export interface Filter {
  /** Whether a topic matches. MUST always return the same for the same topic. */
  readonly topics?: TopicMatcher;
  readonly source?: string;
  /** Earliest `created_at`, inclusive, in milliseconds since 1970. */
  readonly fromMs?: number;
  /** Latest `created_at`, inclusive, in milliseconds since 1970. */
  readonly toMs?: number;
}

export interface TopicMatcher {
  matches(topic: string): boolean;
  /** Ranges that contain all matching topics; empty if none can match. MUST NOT change. */
  readonly ranges: readonly TopicRange[];
  /** True if every topic matches; omitted: unknown. */
  readonly isEverything?: boolean;
  /** As `ranges`, but also by what the topics end with. MUST NOT change. Default: the ranges, with any end. */
  readonly shapes?: readonly TopicShape[];
  /** Every matching topic contains one of these texts, none of which is empty. MUST NOT change. Default: unknown. */
  readonly literals?: readonly string[] | undefined;
  /** Matching only compares text, so its results need not be cached. Default false. */
  readonly isPlain?: boolean;
}

/** A query for topics. */
export interface TopicQuery {
  readonly topics?: TopicMatcher;
  /** Only topics after this one, in code point order. */
  readonly after?: string;
  readonly limit: number;
}

/** A range of topics that was searched, and what was found in it. */
export interface TopicPage {
  /** In code point order of their names. */
  readonly topics: readonly TopicSummary[];
  /** The last name that the search has passed; continue after it. */
  readonly end: string;
  /** There are currently no matches beyond `end`. */
  readonly done: boolean;
}

/** A range of the log that was searched, and what was found in it. */
export interface Page {
  /** Matching events in the order of the search. */
  readonly events: readonly Event[];
  /** The last id that the search has passed; continue from there. */
  readonly end: number;
  /** There are currently no matches beyond `end`. */
  readonly done: boolean;
  /** Ids in the range that are damaged on disk, and therefore not among the events; ascending. */
  readonly damaged: readonly number[];
}

/** The result of `append`. */
export interface Appended {
  readonly events: readonly Event[];
  /** The idempotency key was used before: these events were committed by an earlier call. */
  readonly replayed: boolean;
}

export interface AppendOptions {
  /** A short text. A repeat within ten minutes commits nothing and returns the events of the first call. */
  readonly idempotencyKey?: string;
  /**
   * Called once, at the end of the turn of the event loop, if the append is still waiting then. If it returns true,
   * nothing is committed, and the append rejects with an `AbortError`. Default: never.
   */
  readonly isAbandoned?: (() => boolean) | undefined;
}

/** The oldest events are removed when any one rule requires it. An omitted rule is off. */
export interface Retention {
  /** Number of newest events to keep. */
  readonly maxHistory?: number;
  /** Age beyond which an event is removed, in milliseconds. */
  readonly maxAgeMs?: number;
  /** Maximum size of the history in its storage, in bytes. */
  readonly maxBytes?: number;
}

export interface StorageSize {
  /** Bytes that the events and their indexes use. */
  readonly usedBytes: number;
  /** Bytes that the storage takes on disk, including space that can be reused. */
  readonly fileBytes: number;
}

/** Figures of a log besides its size, as of now. */
export interface LogFigures {
  /** Appends that are waiting for their commit. */
  readonly queueDepth: number;
  /** Size of the write-ahead log. */
  readonly walBytes: number;
  /** Idempotency keys forgotten because there were too many, since the log was opened. */
  readonly keysForgotten: number;
}

/**
 * Whether the log can accept an append, and if not, why not. `damaged` and `stuck` still can. `stuck`: what is accepted
 * survives a crash, but not in its usual place. `displaced`: it would not survive a restart.
 */
export type Health =
  | { readonly state: "ok" }
  | {
      readonly state: "full" | "failed" | "closed" | "damaged" | "stuck" | "displaced" | "behind" | "disconnected";
      readonly detail: string;
    };

/**
 * The history: an ordered, durable sequence of events. It is the source of truth; everything else is a cursor over it.
 *
 * Reads are synchronous, so that "there is nothing beyond this id" stays true until the caller yields.
 */
export interface EventLog {
  /**
   * Commits all the drafts or none, with consecutive ids.
   *
   * MUST resolve only when the events survive a crash. MUST call the commit listeners before it resolves. MUST NOT
   * reuse an id that any earlier append has returned. MUST NOT let `created_at` decrease. Rejects with `storage_full`
   * (nothing was committed), `idempotency_conflict`, `shutting_down`, or `unavailable` (the outcome is unknown).
   */
  append(drafts: readonly Draft[], options?: AppendOptions): Promise<Appended>;
  /** Calls the listener with every committed batch, in id order, after it can be read and before anything else runs. */
  onCommit(listener: (batch: readonly Event[]) => void): void;
  /** Searches upwards from `after` (exclusive). MUST examine a bounded number of events per call. */
  read(filter: Filter, after: number, limit: number): Page;
  /** Searches downwards from `before` (exclusive). MUST examine a bounded number of events per call. */
  readBack(filter: Filter, before: number, limit: number): Page;
  /** The event, or undefined if it is not kept or its topic does not match. Throws `internal` when it is damaged. */
  get(id: number, topics?: TopicMatcher): Event | undefined;
  /** The id of the newest event before this time; `floor - 1` if there is none. */
  idBefore(timeMs: number): number;
  /** The topics in the history, by name. MUST examine a bounded number of topics per call. */
  topics(query: TopicQuery): TopicPage;
  /**
   * Removes what the rules no longer keep, oldest first, without blocking the caller's thread for long.
   * Resolves with the number of events removed.
   */
  prune(rules: Retention, nowMs: number): Promise<number>;
  /** The newest id ever assigned; 0 if there is none. */
  readonly head: number;
  /** The oldest id kept; `head + 1` if there is none. */
  readonly floor: number;
  /**
   * Other nodes append to the same history, so a client may know an id above `head` that is still to come. Default
   * false.
   */
  readonly isShared?: boolean;
  /** The greatest append, in bytes of text; larger ones are rejected with `payload_too_large`. Default: no limit. */
  readonly maxAppendBytes?: number;
  /** Events from this id on are read without disk access; `head + 1` if there are none. */
  readonly recentFrom: number;
  size(): StorageSize;
  /** Checks whether an append could be accepted now. */
  health(): Health;
  /** Commits what was accepted, then releases the storage. May be called twice. */
  close(): Promise<void>;
}

/** How far a log has come in the order that the nodes of a cluster share: a stream of entries. */
export interface Place {
  /** The last entry that was adopted; 0 before the first one. */
  readonly sequence: number;
  /** When the stream was created, which identifies it: seconds since 1970, and nanoseconds. */
  readonly createdS: number;
  readonly createdNs: number;
}

/** One change of a history that several nodes share. */
export type Change =
  | { readonly kind: "append"; readonly drafts: readonly Draft[]; readonly idempotencyKey: string | undefined }
  | { readonly kind: "addToken"; readonly record: TokenRecord }
  /** With `keepsAdmin`, the last valid admin token stays. */
  | { readonly kind: "removeToken"; readonly name: string; readonly keepsAdmin: boolean }
  /** Removes the events up to this id, the oldest first. */
  | { readonly kind: "prune"; readonly upTo: number }
  /** The history that was there before the first entry: its newest id, and a hash of that event. Changes nothing. */
  | { readonly kind: "origin"; readonly head: number; readonly hash: string }
  /** The node of the entry serves the consumers from now on, if the lease still has this revision. */
  | { readonly kind: "claimConsumers"; readonly revision: number }
  /** What has changed in the consumers, if the node of the entry serves them; `isLast`: it gives the lease back. */
  | { readonly kind: "saveConsumers"; readonly changes: readonly ConsumerChange[]; readonly isLast: boolean };

/** Changes that belong together: every node adopts all of them at the same place, or none. */
export interface Entry {
  /** Names one run of the node that made it. */
  readonly node: string;
  /** Rises with each entry of the node, from 1. One that has not risen is a repeat, and changes nothing. */
  readonly number: number;
  /** When it was made, by the clock of its node, in milliseconds since 1970. */
  readonly atMs: number;
  readonly changes: readonly Change[];
}

/** What became of a change. */
export type Adopted =
  | { readonly appended: Appended }
  | { readonly error: BusError }
  /** Whether it took effect: there was no such token to add, or one to remove, or the lease was that of the node. */
  | { readonly isChanged: boolean }
  /** Resolves with the number of events removed. */
  | { readonly pruned: Promise<number> };

/**
 * A log that takes over what was ordered elsewhere. The same entries in the same order make the same history.
 *
 * Nothing but `adopt` changes it: `append`, `prune` and changes of its tokens are for logs that own their order.
 */
export interface MirrorLog extends EventLog {
  /** Resolves once `adopt` may be called. */
  ready(): Promise<void>;
  /**
   * Takes over entries in one transaction that also stores the place of the last one. Returns what became of each
   * change of each entry; undefined for an entry that was a repeat. Calls the commit listeners before it returns.
   *
   * Ids MUST follow `head` without a gap. `created_at` MUST be the later of the entry's time and that of the event
   * before it. Whether an idempotency key is a repeat MUST depend on the entries only. Throws as `append` rejects;
   * nothing was adopted then.
   */
  adopt(entries: readonly Entry[], place: Place): readonly (readonly Adopted[] | undefined)[];
  /** The place of the last entry that was adopted; undefined if it never followed a stream. */
  readonly place: Place | undefined;
  /** The newest id that the rules do not keep at this time; less than `floor` if they keep everything. */
  lastExcess(rules: Retention, nowMs: number): number;
}
