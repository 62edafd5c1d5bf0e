import type { Event } from "../event.ts";
import type { Interest, InterestTable } from "../interest/interest.ts";
import type { EventLog, TopicMatcher } from "../ports.ts";
import type { Finds } from "./finds.ts";
import { type Distance, STEP_DELIVERIES, type Work } from "./replays.ts";

/** Characters of JSON that one slice may hold until it is passed on: some ten thousand small events. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** Cost of passing an event to a group, in deliveries to members: a publish of its own, some microseconds. */
const PASS_DELIVERIES = 24;
/** Cost of moving a group to the end of a slice, in deliveries to members: some microseconds. */
const MOVE_DELIVERIES = 32;

/** Where a group continues. */
export interface Place {
  /** The last id that its members have passed. */
  readonly position: number;
  readonly members: number;
}

/** A part of the log that was read for several groups, without a filter. Nothing in it is damaged. */
export interface Slice {
  /** It follows this id. */
  readonly start: number;
  /** Its last id. */
  readonly end: number;
}

/** A group with members that are behind. */
export interface Sharer extends Work {
  readonly topics: TopicMatcher;
  /** What it has found recently. */
  readonly finds: Finds;
  /** The place of its members furthest behind at this distance; undefined if there are none. */
  placeAt(distance: Distance): Place | undefined;
  /** Continues with the matching events of the slice, if the slice is where its members furthest behind are. */
  share(distance: Distance, slice: Slice, matching: readonly Event[]): void;
}

/** A group in the table of those that share slices. */
export class Seat implements Interest {
  readonly sharer: Sharer;
  readonly topics: TopicMatcher;
  /** What it wants of the current slice; undefined if it takes no part. */
  #matching: Event[] | undefined;
  #hasWaited = false;

  constructor(sharer: Sharer) {
    this.sharer = sharer;
    this.topics = sharer.topics;
  }

  /** Whether it waits for those far behind it: every second time. */
  nextWait(): boolean {
    this.#hasWaited = !this.#hasWaited;
    return this.#hasWaited;
  }

  /** From now on, collects what is delivered. */
  begin(): void {
    this.#matching = [];
  }

  deliver(event: Event): void {
    this.#matching?.push(event);
  }

  /** Returns what was delivered since `begin`. */
  end(): readonly Event[] {
    const matching = this.#matching ?? [];
    this.#matching = undefined;
    return matching;
  }
}

/** A group that may share a slice. */
export interface Guest {
  readonly seat: Seat;
  /** It continues after this id. */
  readonly start: number;
  /** The part of all events that it most likely wants. */
  readonly share: number;
  readonly members: number;
}

export interface SharedReadOptions {
  readonly log: EventLog;
  readonly distance: Distance;
  /** Finds the seats that want an event. */
  readonly table: InterestTable;
  readonly guests: readonly Guest[];
  /** The slice follows this id. */
  readonly start: number;
  /** The last id that it may have. */
  readonly until: number;
  /** Events read in a step. */
  readonly pageEvents: number;
}

/**
 * One slice of the log on its way to the groups that share it, in steps: first it is read, page by page; then each
 * group gets what it wants of all of it. Meanwhile groups may leave.
 */
export class SharedRead {
  readonly #options: SharedReadOptions;
  readonly #waiting = new Map<Seat, Guest>();
  #end: number;
  #characters = 0;
  #isRead = false;

  constructor(options: SharedReadOptions) {
    this.#options = options;
    this.#end = options.start;
    for (const guest of options.guests) {
      this.#waiting.set(guest.seat, guest);
      guest.seat.begin();
      options.table.add(guest.seat);
    }
  }

  /** Nothing is left to do. */
  get isOver(): boolean {
    return this.#waiting.size === 0;
  }

  /** A group that left gets nothing. */
  leave(seat: Seat): void {
    if (this.#waiting.delete(seat)) seat.end();
  }

  /** Reads a page, or passes on what was read; returns the groups that moved. */
  step(): readonly Sharer[] {
    if (!this.#isRead) this.#read();
    return this.#isRead ? this.#passOn() : [];
  }

  #read(): void {
    const { log, table, until, pageEvents } = this.#options;
    const page = log.read({}, this.#end, Math.min(until - this.#end, pageEvents));
    // Only the reads of each group tell which damage concerns it.
    if (page.damaged.length > 0) {
      this.#isRead = true;
      return;
    }
    this.#end = page.end;
    for (const { json } of page.events) this.#characters += json.length;
    table.deliver(page.events);
    this.#isRead = page.done || page.end >= until || this.#characters >= MAX_CHARACTERS;
  }

  #passOn(): readonly Sharer[] {
    const { start, distance } = this.#options;
    const slice = { start, end: this.#end };
    const moved: Sharer[] = [];
    let deliveries = 0;
    for (const [seat, { members }] of this.#waiting) {
      if (deliveries > STEP_DELIVERIES) break;
      this.#waiting.delete(seat);
      const matching = seat.end();
      if (slice.end === start) continue;
      seat.sharer.finds.add(matching.length, slice.end - start);
      seat.sharer.share(distance, slice, matching);
      moved.push(seat.sharer);
      deliveries += MOVE_DELIVERIES + matching.length * (members + PASS_DELIVERIES);
    }
    return moved;
  }
}
