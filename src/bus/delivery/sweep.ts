import { InterestTable } from "../interest/interest.ts";
import type { EventLog } from "../ports.ts";
import { AllFinds } from "./finds.ts";
import { DISTANCES, type Distance, STEP_DELIVERIES, type Work } from "./replays.ts";
import { type Guest, type Place, Seat, SharedRead, type Sharer } from "./shared-read.ts";

/** The shortest slice has as many events as this many pages of one group: a few milliseconds of work. */
const SLICE_PAGES = 4;
/**
 * A slice has at least this many events for each group that shares it: they cost several times as much to read as it
 * costs to move the group.
 */
const EVENTS_PER_GUEST = 16;
/**
 * Groups share slices if together they want an event at least this often on average. Reading the next event costs less
 * than finding one by its chain, and groups that share need not find their series first.
 */
const LEAST_WANTED = 0.5;
/**
 * The same where they are many: each of them by itself would find a place in each of its chains first, or walk along all
 * of these events.
 */
const MANY_GROUPS = 16;
const LEAST_WANTED_BY_MANY = 0.2;
/** Groups in a slice are waited for only if together they want this part of what is the least to share. */
const LEAST_WAITED_FOR = 0.5;
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
/** Events that may be on their way to groups, one for several groups counted for each: a few megabytes of lists. */
const MAX_PASSED = 8 * STEP_DELIVERIES;

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
 * restart, and a thousand with a pattern each would find a place in each of a hundred thousand chains. Groups that want
 * little of what is between them find it faster by themselves.
 */
export class Sweep {
  /** What groups have found recently. */
  readonly finds: AllFinds;
  readonly #at: Readonly<Record<Distance, SweepAt>>;

  constructor(options: SweepOptions) {
    this.finds = new AllFinds(SLICE_PAGES * options.pageEvents);
    this.#at = { near: new SweepAt("near", options), far: new SweepAt("far", options) };
  }

  /** Adds a group that has fallen behind. */
  add(sharer: Sharer): void {
    for (const distance of DISTANCES) this.#at[distance].add(sharer);
  }

  /** Removes a group that is not behind any more. */
  remove(sharer: Sharer): void {
    for (const distance of DISTANCES) this.#at[distance].remove(sharer);
  }

  /**
   * Does a step of the slice that is being shared, or lets groups near the one whose turn it is share the next one.
   * Returns the groups that moved, or the one whose turn it was. Returns none, and does nothing, if the group must
   * continue by itself: because that costs less, or because damage may not concern all of them.
   */
  step(sharer: Sharer, distance: Distance): readonly Work[] {
    return this.#at[distance].step(sharer);
  }
}

/** The groups at one distance. */
class SweepAt {
  readonly #distance: Distance;
  readonly #log: EventLog;
  readonly #sliceEvents: number;
  readonly #table = new InterestTable();
  readonly #seats = new Map<Sharer, Seat>();
  /** The slice that is being shared. */
  #read: SharedRead | undefined;
  /** How many of the next steps examine no groups, as an earlier one found none to share with. */
  #stepsToSkip = 0;

  constructor(distance: Distance, { log, pageEvents }: SweepOptions) {
    this.#distance = distance;
    this.#log = log;
    this.#sliceEvents = SLICE_PAGES * pageEvents;
  }

  add(sharer: Sharer): void {
    if (!this.#seats.has(sharer)) this.#seats.set(sharer, new Seat(sharer));
  }

  remove(sharer: Sharer): void {
    const seat = this.#seats.get(sharer);
    if (seat === undefined) return;
    this.#seats.delete(sharer);
    this.#table.remove(seat);
    this.#read?.leave(seat);
    if (this.#read?.isOver) this.#read = undefined;
  }

  step(sharer: Sharer): readonly Work[] {
    if (this.#read === undefined) {
      if (--this.#stepsToSkip >= 0) return [];
      const guests = this.#guestsNear(sharer);
      if (guests.length === 0) {
        this.#stepsToSkip = Math.floor(this.#seats.size / EXAMINED_PER_STEP);
        return [];
      }
      this.#read = this.#open(guests);
    }
    const moved = this.#read.step();
    if (this.#read.isOver) {
      this.#read = undefined;
      return moved;
    }
    return moved.length > 0 ? moved : [sharer];
  }

  #open(guests: readonly Guest[]): SharedRead {
    const start = guests.reduce((least, guest) => Math.min(least, guest.start), Number.POSITIVE_INFINITY);
    const wanted = guests.reduce((sum, { share }) => sum + share, 0);
    const events = Math.min(this.#eventsFor(guests), MAX_PASSED / wanted);
    const until = start + Math.max(1, Math.floor(events));
    return new SharedRead({
      log: this.#log,
      distance: this.#distance,
      table: this.#table,
      guests: guests.filter((guest) => guest.start < until),
      start,
      until,
      pageEvents: Math.max(1, Math.floor(Math.min(this.#sliceEvents, STEP_DELIVERIES / wanted))),
    });
  }

  /** How long the slice may be for each group to take what it wants of it in a step, with room in its members. */
  #eventsFor(guests: readonly Guest[]): number {
    let events = Math.max(this.#sliceEvents, EVENTS_PER_GUEST * guests.length);
    for (const { share, members } of guests) {
      events = Math.min(events, this.#sliceEvents / share, STEP_DELIVERIES / (share * members));
    }
    return events;
  }

  /** The groups near this one, from the furthest behind that is waited for; none if sharing costs more. */
  #guestsNear(sharer: Sharer): readonly Guest[] {
    const place = this.#seats.size > 1 ? sharer.placeAt(this.#distance) : undefined;
    if (place === undefined) return [];
    const waitSlices = this.#seats.get(sharer)?.nextWait() ? WAIT_SLICES : NEIGHBOUR_SLICES;
    const first = this.#startOf(place) - waitSlices * this.#sliceEvents;
    const wanted = new Array<number>(waitSlices + 1).fill(0);
    const guests: Guest[] = [];
    for (const seat of this.#seats.values()) {
      const guest = this.#guestOf(seat);
      const slice = guest === undefined ? -1 : Math.floor((guest.start - first) / this.#sliceEvents);
      if (guest === undefined || slice < 0 || slice > waitSlices) continue;
      wanted[slice] = (wanted[slice] ?? 0) + guest.share;
      guests.push(guest);
    }
    const least = guests.length < MANY_GROUPS ? LEAST_WANTED : LEAST_WANTED_BY_MANY;
    if (wanted.reduce((sum, each) => sum + each) < least) return [];
    const slice = wanted.findIndex((each) => each >= least * LEAST_WAITED_FOR);
    return slice < 0 ? [] : guests.filter(({ start }) => start >= first + slice * this.#sliceEvents);
  }

  /** Undefined if it is not at this distance, or has enough members to fill a step by themselves. */
  #guestOf(seat: Seat): Guest | undefined {
    const place = seat.sharer.placeAt(this.#distance);
    if (place === undefined) return undefined;
    const { share } = seat.sharer.finds;
    const { members } = place;
    if (share * members * this.#sliceEvents > STEP_DELIVERIES) return undefined;
    return { seat, start: this.#startOf(place), share, members };
  }

  /** Where the log continues for a group at this place. */
  #startOf({ position }: Place): number {
    return Math.max(position, this.#log.floor - 1);
  }
}
