import type { Event } from "../event.ts";
import { type Interest, InterestTable } from "../interest/interest.ts";
import type { EventLog, Page, TopicMatcher } from "../ports.ts";
import { type Distance, STEP_DELIVERIES, type Work } from "./replays.ts";

/** A slice is as long as this many pages of one group: a few milliseconds of work. */
const SLICE_PAGES = 4;
/**
 * Groups share slices if together they want an event at least this often on average. If each event is wanted by one
 * group, finding it directly costs as much as reading all of them in a row and passing each to its group.
 */
const LEAST_WANTED = 1.5;
/** Groups in a slice are waited for only if together they want most of its events; others are faster alone. */
const LEAST_WAITED_FOR = LEAST_WANTED / 2;
/**
 * A group waits for those that are behind it by at most this many slices: some tens of milliseconds. Every second time
 * it waits only for its nearest neighbours, so it moves on however many are behind it.
 */
const WAIT_SLICES = 16;
const NEIGHBOUR_SLICES = 1;
/**
 * For every this many groups that a step examines in vain, one of the next steps examines none. So thousands of groups
 * that read alone do not examine one another all the time.
 */
const EXAMINED_PER_STEP = 100;
/** Cost of passing an event to a group, in deliveries to members. */
const PASS_DELIVERIES = 8;

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
  readonly page: Page;
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

/** How common the events that a group wants are, from what it has found recently. */
export class Finds {
  #found = 0;
  #passed = 0;

  /** The part of all events that it most likely wants, from 0 to 1; undefined before its first page. */
  get share(): number | undefined {
    return this.#passed === 0 ? undefined : this.#found / this.#passed;
  }

  /** It has found this many events in a range of ids. */
  add(found: number, passed: number): void {
    this.#found = this.#found / 2 + found;
    this.#passed = this.#passed / 2 + passed;
  }
}

export interface SweepOptions {
  readonly log: EventLog;
  /** Events in a page of one group. */
  readonly pageEvents: number;
}

/**
 * Reads the log once for groups with different requests that are behind at about the same place: reads all events of a
 * slice, and passes each to the groups that want it.
 *
 * ```
 *   ─────●───●─────●────────────●●───────────── head
 *        └── slice ──┘ is read once. Then all three groups are at its end,
 *                      and a later slice serves them together with the next two
 * ```
 *
 * Otherwise subscribers with overlapping patterns, or with different tokens, would each read the same events after a
 * restart. Groups that want little of what is between them find it faster by themselves.
 */
export class Sweep {
  readonly #log: EventLog;
  readonly #sliceEvents: number;
  readonly #table = new InterestTable();
  readonly #seats = new Map<Sharer, Seat>();
  /** How many of the next steps examine no groups, as an earlier one found none to share with. */
  #stepsToSkip = 0;

  constructor({ log, pageEvents }: SweepOptions) {
    this.#log = log;
    this.#sliceEvents = SLICE_PAGES * pageEvents;
  }

  /** Adds a group that has fallen behind. */
  add(sharer: Sharer): void {
    if (!this.#seats.has(sharer)) this.#seats.set(sharer, new Seat(sharer));
  }

  /** Removes a group that is not behind any more. */
  remove(sharer: Sharer): void {
    const seat = this.#seats.get(sharer);
    if (seat === undefined) return;
    this.#seats.delete(sharer);
    this.#table.remove(seat);
  }

  /**
   * Lets groups near the one whose turn it is share a slice; returns these groups. Returns none, and does nothing, if
   * the group must continue by itself: because that costs less, or because damage may not concern all of them.
   */
  step(sharer: Sharer, distance: Distance): readonly Sharer[] {
    if (--this.#stepsToSkip >= 0) return [];
    const guests = this.#guestsNear(sharer, distance);
    if (guests.length === 0) {
      this.#stepsToSkip = Math.floor(this.#seats.size / EXAMINED_PER_STEP);
      return [];
    }
    const start = guests.reduce((least, guest) => Math.min(least, guest.start), Number.POSITIVE_INFINITY);
    const page = this.#log.read({}, start, this.#eventsFor(guests, start));
    if (page.damaged.length > 0) return [];
    const sharing = guests.filter((guest) => guest.start < page.end).map(({ seat }) => seat);
    for (const seat of sharing) {
      seat.begin();
      this.#table.add(seat);
    }
    this.#table.deliver(page.events);
    for (const seat of sharing) {
      const matching = seat.end();
      seat.sharer.finds.add(matching.length, page.end - start);
      seat.sharer.share(distance, { start, page }, matching);
    }
    return sharing.map((seat) => seat.sharer);
  }

  /** The groups near this one, from the furthest behind that is waited for; none if sharing costs more. */
  #guestsNear(sharer: Sharer, distance: Distance): readonly Guest[] {
    const place = this.#seats.size > 1 ? sharer.placeAt(distance) : undefined;
    if (place === undefined) return [];
    const waitSlices = this.#seats.get(sharer)?.nextWait() ?? 0;
    const first = this.#startOf(place) - waitSlices * this.#sliceEvents;
    const wanted = new Array<number>(waitSlices + 1).fill(0);
    const guests: Guest[] = [];
    for (const seat of this.#seats.values()) {
      const guest = this.#guestOf(seat, distance);
      const slice = guest === undefined ? -1 : Math.floor((guest.start - first) / this.#sliceEvents);
      if (guest === undefined || slice < 0 || slice > waitSlices) continue;
      wanted[slice] = (wanted[slice] ?? 0) + guest.share;
      guests.push(guest);
    }
    if (wanted.reduce((sum, each) => sum + each) < LEAST_WANTED) return [];
    const slice = wanted.findIndex((each) => each >= LEAST_WAITED_FOR);
    return slice < 0 ? [] : guests.filter(({ start }) => start >= first + slice * this.#sliceEvents);
  }

  /**
   * Undefined if it is not at this distance, has not read a page yet, which would show what it wants, or has enough
   * members to fill a step by themselves.
   */
  #guestOf(seat: Seat, distance: Distance): Guest | undefined {
    const place = seat.sharer.placeAt(distance);
    const { share } = seat.sharer.finds;
    if (place === undefined || share === undefined) return undefined;
    if (share * place.members * this.#sliceEvents > STEP_DELIVERIES) return undefined;
    return { seat, start: this.#startOf(place), share, deliveries: share * (place.members + PASS_DELIVERIES) };
  }

  /** Where the log continues for a group at this place. */
  #startOf({ position }: Place): number {
    return Math.max(position, this.#log.floor - 1);
  }

  /** How many events can be passed in a step to the groups that share the slice. */
  #eventsFor(guests: readonly Guest[], start: number): number {
    let deliveries = 0;
    for (const guest of guests) if (guest.start < start + this.#sliceEvents) deliveries += guest.deliveries;
    return Math.max(1, Math.min(this.#sliceEvents, Math.floor(STEP_DELIVERIES / deliveries)));
  }
}

/** A group that may share a slice. */
interface Guest {
  readonly seat: Seat;
  /** It continues after this id. */
  readonly start: number;
  /** The part of all events that it most likely wants. */
  readonly share: number;
  /** What an event of the log costs for it on average, in deliveries. */
  readonly deliveries: number;
}

/** A group in the table of those that share slices. */
class Seat implements Interest {
  readonly sharer: Sharer;
  readonly topics: TopicMatcher;
  /** What it wants of the current slice; undefined if it takes no part. */
  #matching: Event[] | undefined;
  #hasWaited = false;

  constructor(sharer: Sharer) {
    this.sharer = sharer;
    this.topics = sharer.topics;
  }

  /** How many slices behind it a group may be for it to wait this time. */
  nextWait(): number {
    this.#hasWaited = !this.#hasWaited;
    return this.#hasWaited ? WAIT_SLICES : NEIGHBOUR_SLICES;
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
