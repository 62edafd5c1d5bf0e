import type { TopicSummary } from "../protocol/event.ts";
import type { Event } from "./event.ts";
import type { RawJson } from "./json.ts";
import type { TopicRange } from "./patterns/topic-range.ts";
import type { TopicShape } from "./patterns/topic-shape.ts";
import type { Topic } from "./topic.ts";

/** An event before it is committed: checked, without an id and a time. */
export interface Draft {
  readonly topic: Topic;
  readonly data: RawJson;
  readonly source: string;
}

/** Which events a reader wants. Leaving a member out leaves that test out. */
export interface Filter {
  /** Tells whether a topic is wanted. MUST always answer the same for the same topic. */
  readonly topics?: TopicMatcher;
  readonly source?: string;
  /** Earliest `created_at`, inclusive, in milliseconds since 1970. */
  readonly fromMs?: number;
  /** Latest `created_at`, inclusive, in milliseconds since 1970. */
  readonly toMs?: number;
}

export interface TopicMatcher {
  matches(topic: string): boolean;
  /** Where the topics that match lie: each is in one of these. Empty when none can match. MUST NOT change. */
  readonly ranges: readonly TopicRange[];
  /** True when every topic matches; left out, that is not known. */
  readonly isEverything?: boolean;
  /** As `ranges`, by what the topics end with too. MUST NOT change. Default: the ranges, with any end. */
  readonly shapes?: readonly TopicShape[];
  /** Matching is no more than comparing text, so its answers need not be remembered. Default false. */
  readonly isPlain?: boolean;
}

/** Which topics are asked for. */
export interface TopicQuery {
  readonly topics?: TopicMatcher;
  /** Only topics after this one, in code point order. */
  readonly after?: string;
  readonly limit: number;
}

/** A stretch of the topics that was searched, and what was found in it. */
export interface TopicPage {
  /** In code point order of their names. */
  readonly topics: readonly TopicSummary[];
  /** The last name that the search has passed; go on after it. */
  readonly end: string;
  /** Nothing that matches lies beyond `end`, as of now. */
  readonly done: boolean;
}

/** A stretch of the log that was searched, and what was found in it. */
export interface Page {
  /** Matching events in the order of the search. */
  readonly events: readonly Event[];
  /** The last id that the search has passed; go on from here. */
  readonly end: number;
  /** Nothing that matches lies beyond `end`, as of now. */
  readonly done: boolean;
  /** Ids in the stretch that are damaged on disk, and therefore not among the events; ascending. */
  readonly damaged: readonly number[];
}

/** What `append` answers. */
export interface Appended {
  readonly events: readonly Event[];
  /** The idempotency key was known: these events were committed by an earlier call. */
  readonly replayed: boolean;
}

export interface AppendOptions {
  /** A short text. A repeat within ten minutes commits nothing and answers with the first call's events. */
  readonly idempotencyKey?: string;
  /**
   * Asked once, at the end of the turn of the event loop, if the append still waits then: when it is true, nothing is
   * committed, and the append rejects with an `AbortError`. Default: never.
   */
  readonly isAbandoned?: (() => boolean) | undefined;
}

/** The oldest events go when any one rule says so. Leaving a rule out turns it off. */
export interface Retention {
  /** Newest events to keep. */
  readonly maxHistory?: number;
  /** Age beyond which an event goes, in milliseconds. */
  readonly maxAgeMs?: number;
  /** Bytes that history may take in its storage. */
  readonly maxBytes?: number;
}

export interface StorageSize {
  /** Bytes that the events and their indexes use. */
  readonly usedBytes: number;
  /** Bytes that the storage takes on the disk, space that can be used again included. */
  readonly fileBytes: number;
}

/** Whether the log can take an append, and if not, why not. `damaged` still can. */
export type Health =
  | { readonly state: "ok" }
  | { readonly state: "full" | "failed" | "closed" | "damaged"; readonly detail: string };

/**
 * The history: an ordered, durable sequence of events. It is the truth; all else is a cursor over it.
 *
 * Reads are synchronous, so that "there is nothing beyond this id" stays true until the caller yields.
 */
export interface EventLog {
  /**
   * Commits all the drafts or none, with consecutive ids.
   *
   * MUST resolve only when the events survive a crash. MUST call the commit listeners before it resolves.
   * MUST NOT reuse an id that any earlier append has answered. MUST NOT let `created_at` go down.
   * Rejects with `storage_full` (nothing was committed), `idempotency_conflict`, `shutting_down`,
   * or `unavailable` (the outcome is unknown).
   */
  append(drafts: readonly Draft[], options?: AppendOptions): Promise<Appended>;
  /** Calls the listener with every committed batch, in id order, after it can be read and before anything else runs. */
  onCommit(listener: (batch: readonly Event[]) => void): void;
  /** Searches upwards from `after` (exclusive). MUST examine a bounded number of events a call. */
  read(filter: Filter, after: number, limit: number): Page;
  /** Searches downwards from `before` (exclusive). MUST examine a bounded number of events a call. */
  readBack(filter: Filter, before: number, limit: number): Page;
  /** The event, or undefined when it is not kept or not one of these topics. Throws `internal` when it is damaged. */
  get(id: number, topics?: TopicMatcher): Event | undefined;
  /** The id of the newest event whose time is before this one; `floor - 1` when none is. */
  idBefore(timeMs: number): number;
  /** The topics that history keeps an event of, by name. MUST examine a bounded number of topics a call. */
  topics(query: TopicQuery): TopicPage;
  /**
   * Removes what the rules no longer keep, oldest first, without holding the caller's thread for long.
   * Resolves with the number of events removed.
   */
  prune(rules: Retention, nowMs: number): Promise<number>;
  /** The newest id ever given; 0 when none was. */
  readonly head: number;
  /** The oldest id that is kept; `head + 1` when none is. */
  readonly floor: number;
  /** Events from this id on are read without a look at the disk; `head + 1` when none is. */
  readonly recentFrom: number;
  size(): StorageSize;
  /** Finds out whether an append could be taken now. */
  health(): Health;
  /** Commits what was accepted, then releases the storage. May be called twice. */
  close(): Promise<void>;
}
