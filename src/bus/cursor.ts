import type { ControlMessage, GapMessage } from "../protocol/frames.ts";
import type { Event } from "./event.ts";
import { Meter } from "./meter.ts";
import type { EventLog, TopicMatcher } from "./ports.ts";
import type { Start } from "./start.ts";

/** What a cursor passes over: events, and what has to be said between them. */
export type Item = Event | ControlMessage;

export interface Taken {
  readonly items: readonly Item[];
  /** There is nothing more as of now: until the caller yields, whatever is committed next follows seamlessly. */
  readonly isAtEnd: boolean;
}

/** The way back to the event from which the newest so many follow. */
interface Search {
  readonly topics: TopicMatcher;
  /** The oldest id that was kept when the search began. */
  readonly floor: number;
  missing: number;
  before: number;
}

export interface CursorOptions {
  /** Counts replays and gaps. */
  readonly meter?: Meter;
  /** What the reader may know of, when that is not everything: no id is told that is not of an event within it. */
  readonly scope?: TopicMatcher | undefined;
}

/**
 * A place in the history, and the wish for what comes after it. Every subscriber is one of these.
 *
 * It reads only as fast as it is asked to, and holds no more than a number: that is why a slow reader costs nothing
 * and loses nothing.
 */
export class Cursor {
  topics: TopicMatcher;
  readonly meter: Meter;
  readonly #log: EventLog;
  /** What the reader may know of, when that is not everything. */
  readonly #scope: TopicMatcher | undefined;
  /** The last id that was passed. */
  #position: number;
  /** The last id that a reader of limited scope may be told of. */
  #told: number | undefined;
  /** As long as the place to start from is not found yet. */
  #search: Search | undefined;
  /** A replay was asked for, and its end has not been told yet. */
  #owesCaughtUp: boolean;
  /** The start is an id that was never given here, as after a backup was restored, and that has not been told yet. */
  #owedGap: GapMessage | undefined;

  constructor(
    log: EventLog,
    topics: TopicMatcher,
    start: Start,
    nowMs: number,
    { meter = new Meter(), scope }: CursorOptions = {},
  ) {
    this.meter = meter;
    if (start.kind !== "live") meter.replays++;
    this.#log = log;
    this.#scope = scope;
    if (scope && (start.kind === "live" || start.kind === "now")) this.#told = newestOf(log, scope);
    this.topics = topics;
    this.#owesCaughtUp = start.kind !== "live";
    this.#position = positionOf(log, start, nowMs);
    if (start.kind === "after" && start.id > log.head) {
      const next = (scope ? newestOf(log, scope) : log.head) + 1;
      this.#owedGap = { type: "gap", after: start.id, next };
    }
    if (start.kind === "last") {
      this.#search = { topics, floor: log.floor, missing: start.count, before: log.head + 1 };
    }
  }

  /**
   * Where to go on from, as far as it may be told; undefined as long as the place to start from is not found yet, or has
   * not been told to be another one.
   */
  get position(): number | undefined {
    if (this.#owedGap) return undefined;
    if (this.#scope) return this.#told;
    return this.#search === undefined ? this.#position : undefined;
  }

  /** Moves to an event that the subscriber was given by other means. */
  moveTo(id: number): void {
    this.#position = id;
    this.#told = id;
  }

  /** The next items, at most `limit` events. Tells a hole in its place, and once the end of the replay. */
  take(limit: number): Taken {
    if (this.#search && !this.#searchOn(this.#search, limit)) return { items: [], isAtEnd: false };
    const items: Item[] = [];
    this.#tellOwedGap(items);
    this.#tellGap(items);
    const page = this.#log.read({ topics: this.topics }, this.#position, limit);
    this.#addPage(items, page.events, page.damaged);
    this.#position = Math.max(this.#position, page.end);
    this.#told = page.events.at(-1)?.id ?? this.#told;
    if (page.done && this.#owesCaughtUp) {
      this.#owesCaughtUp = false;
      this.#told = this.#newestToTell();
      items.push({ type: "caught_up", id: this.#told });
    }
    return { items, isAtEnd: page.done };
  }

  /** Looks at one page more, as many events may have to be passed; true when the place to start from is found. */
  #searchOn(search: Search, limit: number): boolean {
    const page = this.#log.readBack({ topics: search.topics }, search.before, Math.min(search.missing, limit));
    search.missing -= page.events.length;
    search.before = page.end;
    if (search.missing > 0 && !page.done) return false;
    const oldest = search.missing > 0 ? undefined : page.events.at(-1);
    this.#position = (oldest?.id ?? search.floor) - 1;
    this.#search = undefined;
    return true;
  }

  /** The reader comes from another history: its `next` is not above its `after`, and this one goes on with what is new. */
  #tellOwedGap(items: Item[]): void {
    if (this.#owedGap === undefined) return;
    items.push(this.#owedGap);
    this.meter.gaps++;
    this.#told = this.#owedGap.next - 1;
    this.#owedGap = undefined;
  }

  /** Retention has passed the cursor: say so, and go on from the oldest event that is kept. */
  #tellGap(items: Item[]): void {
    const { floor } = this.#log;
    if (this.#position >= floor - 1) return;
    items.push({ type: "gap", after: this.#position, next: floor });
    this.meter.gaps++;
    this.#position = floor - 1;
    this.#told = this.#position;
  }

  /** Never before what was told already, should retention have removed every event of the scope. */
  #newestToTell(): number {
    return this.#scope ? Math.max(newestOf(this.#log, this.#scope), this.#told ?? 0) : this.#log.head;
  }

  /** A damaged event is a hole too. */
  #addPage(items: Item[], events: readonly Event[], damaged: readonly number[]): void {
    if (damaged.length === 0) {
      items.push(...events);
      return;
    }
    const gaps = runsOf(damaged).map(([first, last]): Item => ({ type: "gap", after: first - 1, next: last + 1 }));
    this.meter.gaps += gaps.length;
    const place = (item: Item) => ("type" in item ? (item.type === "gap" ? item.after + 1 : 0) : item.id);
    items.push(...[...events, ...gaps].sort((a, b) => place(a) - place(b)));
  }
}

/**
 * The newest event of the scope. Never before the hole that retention has left at the beginning: whoever went on from
 * there would be told of the hole again.
 */
export function newestOf(log: EventLog, scope: TopicMatcher): number {
  return Math.max(log.lastId(scope), log.floor - 1);
}

/** Ascending ids as runs of consecutive ones. */
function runsOf(ids: readonly number[]): [first: number, last: number][] {
  const runs: [number, number][] = [];
  for (const id of ids) {
    const run = runs.at(-1);
    if (run && run[1] === id - 1) run[1] = id;
    else runs.push([id, id]);
  }
  return runs;
}

function positionOf(log: EventLog, start: Start, nowMs: number): number {
  switch (start.kind) {
    case "live":
    case "now":
    case "last":
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
