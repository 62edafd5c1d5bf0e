import type { GapMessage } from "../protocol/frames.ts";
import { NewestInScope } from "./newest.ts";
import type { EventLog, TopicMatcher } from "./ports.ts";
import type { Start } from "./start.ts";

/** The search downwards for the oldest of the newest `count` matching events. */
interface Search {
  /** The oldest id that was kept when the search began. */
  readonly floor: number;
  missing: number;
  before: number;
}

/** A subscriber at its start. */
export interface Starter {
  readonly topics: TopicMatcher;
  /** The topics that it may read, if not all. */
  readonly scope?: TopicMatcher | undefined;
  readonly start: Start;
}

/** Finds the id after which a subscriber starts, in bounded steps if it has to be searched for. */
export class StartSearch {
  /** The newest id when the search began. */
  readonly head: number;
  /** Whether the subscriber requested a replay, even an empty one. */
  readonly isReplay: boolean;
  readonly #log: EventLog;
  readonly #topics: TopicMatcher;
  /** The id that the history must reach first, if another node has assigned it. */
  readonly awaitedId: number | undefined;
  #position: number | undefined;
  #last: Search | undefined;
  /** The id to start after, if this history has never assigned it, as after the restore of a backup. */
  readonly #unknownId: number | undefined;
  readonly #newest: NewestInScope | undefined;

  /** `nowMs` is in milliseconds since 1970, for starts that name a duration. */
  constructor(log: EventLog, { topics, scope, start }: Starter, nowMs: number) {
    this.#log = log;
    this.#topics = topics;
    this.head = log.head;
    this.isReplay = start.kind !== "live";
    if (start.kind === "last") {
      this.#last = { floor: log.floor, missing: start.count, before: log.head + 1 };
      return;
    }
    if (start.kind === "after" && start.id > log.head && log.isShared) {
      this.awaitedId = start.id;
      return;
    }
    if (start.kind === "after" && start.id > log.head) {
      this.#unknownId = start.id;
      this.#newest = scope && new NewestInScope(log, scope);
    }
    if (this.#newest === undefined) this.#position = positionOf(log, start, nowMs);
    else this.#lookForNewest(this.#newest);
  }

  /** Undefined until it is found. */
  get position(): number | undefined {
    return this.#position;
  }

  /**
   * The gap to report first, once the position is found: the ids went back, as the subscriber knows another history.
   */
  get gap(): GapMessage | undefined {
    if (this.#unknownId === undefined) return undefined;
    const newest = Math.min(this.head, this.#newest === undefined ? this.head : (this.#newest.idFor(this.head) ?? 0));
    return { type: "gap", after: this.#unknownId, next: newest + 1 };
  }

  /** Whether no search would find the position now, as the history must reach `awaitedId` first. */
  get isWaiting(): boolean {
    return this.awaitedId !== undefined && this.#log.head < this.awaitedId;
  }

  /** Searches one more page of at most `limit` events; returns the position once it is found. */
  step(limit: number): number | undefined {
    if (this.awaitedId !== undefined && this.#log.head >= this.awaitedId) this.#position = this.awaitedId;
    else if (this.#last) this.#lookForLast(this.#last, limit);
    else if (this.#newest && this.#position === undefined) this.#lookForNewest(this.#newest);
    return this.#position;
  }

  #lookForLast(search: Search, limit: number): void {
    const page = this.#log.readBack({ topics: this.#topics }, search.before, Math.min(search.missing, limit));
    search.missing -= page.events.length;
    search.before = page.end;
    if (search.missing > 0 && !page.done) return;
    const oldest = search.missing > 0 ? undefined : page.events.at(-1);
    this.#position = (oldest?.id ?? search.floor) - 1;
    this.#last = undefined;
  }

  #lookForNewest(newest: NewestInScope): void {
    newest.look();
    if (newest.idFor(this.head) !== undefined) this.#position = this.head;
  }
}

function positionOf(log: EventLog, start: Exclude<Start, { kind: "last" }>, nowMs: number): number {
  switch (start.kind) {
    case "live":
    case "now":
      return log.head;
    case "after":
      return Math.min(start.id, log.head);
    case "time":
      return log.idBefore(start.timeMs);
    case "ago":
      return log.idBefore(nowMs - start.durationMs);
    case "all":
      return log.floor - 1;
  }
}
