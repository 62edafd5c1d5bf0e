import type { KeyedMatcher } from "../access/scope.ts";
import { firstIdOf, type Item, lastIdOf, type Taken } from "../cursor.ts";
import { Event } from "../event.ts";
import type { Interest } from "../interest/interest.ts";
import type { Meter } from "../meter.ts";
import { NewestInScope } from "../newest.ts";
import type { EventLog, TopicMatcher } from "../ports.ts";
import type { Tuning } from "../tuning.ts";
import type { BehindAt } from "./behind.ts";
import type { Cohort, Member, Seat } from "./cohort.ts";
import { CohortLine, unite } from "./cohort-line.ts";
import { Finds } from "./finds.ts";
import { type Arrivals, type Distance, type Replays, STEP_DELIVERIES, type Work } from "./replays.ts";
import type { Place, Sharer, Slice } from "./shared-read.ts";
import type { Sweep } from "./sweep.ts";

/** Cost of moving a member to another cohort, in deliveries: Bun subscribes and unsubscribes in three microseconds. */
const MOVE_DELIVERIES = 16;

type Gap = Extract<Item, { type: "gap" }>;

export interface GroupOptions<M extends Member> {
  readonly log: EventLog;
  /** Opens an empty cohort after this id. */
  readonly openCohort: (topics: TopicMatcher, position: number) => Cohort<M>;
  readonly interests: { add(interest: Interest): void; remove(interest: Interest): void };
  readonly replays: Replays;
  readonly sweep: Sweep;
  readonly tuning: Tuning;
  readonly meter: Meter;
}

/**
 * For a member that has not yet passed the place where it changed its patterns: some apply only from an event on.
 */
export interface Filter {
  readonly wants: (event: Event) => boolean;
  /** All matching events after this id are wanted. */
  readonly until: number;
}

/** Called when the filter has nothing more to do, with the last id that its member has passed. */
export type FilterEnd = (position: number) => void;

export interface Wish {
  readonly topics: KeyedMatcher;
  /** The topics that the members may read, if not all. */
  readonly scope?: TopicMatcher | undefined;
}

/**
 * All members with the same request, in cohorts: the one at the newest event is live, the others follow at their
 * positions.
 *
 * ```
 *   floor            far   recentFrom   near            head
 *     ├──●────────●───────────┼────●────────●─────────────┤ live
 *        └─ the cohort furthest behind moves: one page, delivered to all its members.
 *           Where it meets the next cohort, the two unite; at the head it becomes live
 * ```
 *
 * What holds: every matching event after a member's start is delivered to it once and in order, or is part of a gap.
 * Reads of the history are synchronous, and the bus delivers in the turn that commits, so no event can come between the
 * last page and the first live event, or be in both.
 *
 * The cohort furthest behind always moves first, so every page is read once for all cohorts that it meets. A member
 * that is full leaves its cohort and continues alone after the last event that was delivered to it, as soon as it has
 * room; so it never delays the others.
 */
export class Group<M extends Member> implements Interest, Sharer, Arrivals {
  readonly topics: KeyedMatcher;
  readonly finds: Finds;
  readonly #log: EventLog;
  readonly #openCohort: GroupOptions<M>["openCohort"];
  readonly #interests: GroupOptions<M>["interests"];
  readonly #replays: Replays;
  readonly #sweep: Sweep;
  readonly #tuning: Tuning;
  readonly #meter: Meter;
  readonly #newest: NewestInScope | undefined;
  readonly #filter: (Filter & { readonly onEnd: FilterEnd }) | undefined;
  /** Cohorts that can continue. */
  readonly #behind = new CohortLine<M>();
  /** Cohorts of members that have no room now, or have not begun. */
  readonly #stalled = new Set<Cohort<M>>();
  /** Cohorts of members that have joined but not begun. */
  readonly #arrived = new Set<Cohort<M>>();
  #live: Cohort<M> | undefined;
  /** Deliveries of the current step. */
  #done = 0;

  /** A group with a filter has one member, which leaves it when the filter has nothing more to do. */
  constructor(options: GroupOptions<M>, { topics, scope }: Wish, filter?: Filter & { readonly onEnd: FilterEnd }) {
    this.#log = options.log;
    this.#openCohort = options.openCohort;
    this.#interests = options.interests;
    this.#replays = options.replays;
    this.#sweep = options.sweep;
    this.finds = new Finds(options.sweep.finds);
    this.#tuning = options.tuning;
    this.#meter = options.meter;
    this.topics = topics;
    this.#newest = scope && new NewestInScope(options.log, scope);
    this.#filter = filter;
  }

  get isEmpty(): boolean {
    return this.#live === undefined && this.#behind.isEmpty && this.#stalled.size === 0;
  }

  /** The member continues after this id; it is live at once if that is the newest one. */
  join(seat: Seat<M>, position: number): void {
    const cohort = this.#open(seat, position);
    if (position >= this.#log.head) {
      this.#settle(cohort, true);
      return;
    }
    this.#stalled.add(cohort);
    this.#arrived.add(cohort);
    this.#replays.arrive(this);
  }

  /** Lets the members that have joined begin. */
  admit(): void {
    for (const cohort of this.#arrived) if (this.#stalled.delete(cohort)) this.#insert(cohort);
    this.#arrived.clear();
  }

  /** Removes the member; returns the last id that it passed. */
  leave(seat: Seat<M>): number {
    const { cohort } = seat;
    if (cohort === undefined) return 0;
    const position = cohort.isLive ? this.#log.head : cohort.position;
    cohort.remove(seat);
    if (cohort.size === 0) this.#drop(cohort);
    return position;
  }

  /** MUST be called when the member may have room again. */
  wake({ cohort, member }: Seat<M>): void {
    if (cohort === undefined || !this.#stalled.has(cohort) || !member.hasRoom) return;
    this.#stalled.delete(cohort);
    this.#insert(cohort);
  }

  /** The id that may be reported to the member as passed; undefined while unknown. */
  passedBy({ cohort, cameAt }: Seat<M>): number | undefined {
    if (this.#newest === undefined) return cohort?.isLive ? this.#log.head : cohort?.position;
    if (!cohort?.isLive) return cohort?.deliveredId;
    this.#newest.look();
    return this.#newest.idFor(cameAt);
  }

  /** The members that are behind, by position, paused ones included. */
  *behind(): Iterable<BehindAt> {
    const { head, recentFrom } = this.#log;
    for (const cohorts of [this.#behind, this.#stalled]) {
      for (const { position, size } of cohorts) {
        yield { distance: position + 1 < recentFrom ? "far" : "near", members: size, lag: head - position };
      }
    }
  }

  // Interest: the newest events, as they are committed.

  deliver(event: Event): void {
    const live = this.#live;
    if (live === undefined) return;
    live.cursor.moveTo(event.id);
    this.#newest?.passed(event.id);
    if (live.deliver(event)) this.#look(live);
  }

  endBatch(): void {
    this.#live?.flush();
  }

  // Work: the cohorts that are behind.

  has(distance: Distance): boolean {
    return this.#furthestBehind(distance) !== undefined;
  }

  lag(distance: Distance): number | undefined {
    const cohort = this.#furthestBehind(distance);
    return cohort && this.#log.head - cohort.position;
  }

  /** Moves the cohort furthest behind one page ahead, or shares a slice with other groups. */
  step(distance: Distance): readonly Work[] {
    const served = this.#sweep.step(this, distance);
    if (served.length > 0) return served;
    const cohort = this.#takeFurthestBehind(distance);
    if (cohort) this.#advance(cohort, cohort.position, this.#page(cohort));
    return [this];
  }

  rest(): void {
    this.#sweep.remove(this);
  }

  placeAt(distance: Distance): Place | undefined {
    const cohort = this.#furthestBehind(distance);
    return cohort && { position: cohort.position, members: cohort.size };
  }

  share(distance: Distance, { start, end }: Slice, matching: readonly Event[]): void {
    const position = this.#furthestBehind(distance)?.position;
    const from = Math.max(position ?? 0, this.#log.floor - 1);
    // A member that joined meanwhile may be further behind.
    if (position === undefined || from < start || from >= end) return;
    const cohort = this.#takeFurthestBehind(distance);
    if (cohort) this.#advance(cohort, position, cohort.cursor.takeOf(end, matching));
  }

  /** Takes out the cohort furthest behind. If that has no room now, it stalls, and is not returned. */
  #takeFurthestBehind(distance: Distance): Cohort<M> | undefined {
    const cohort = this.#furthestBehind(distance);
    if (cohort === undefined) return undefined;
    this.#behind.remove(cohort);
    if (cohort.hasRoom) return cohort;
    this.#stalled.add(cohort);
    return undefined;
  }

  #page({ cursor, size }: Cohort<M>): Taken {
    const from = Math.max(cursor.position, this.#log.floor - 1);
    const taken = cursor.take(Math.max(1, Math.min(this.#tuning.pageEvents, Math.floor(STEP_DELIVERIES / size))));
    this.finds.add(taken.items.length, cursor.position - from);
    return taken;
  }

  /** Delivers what a cohort has taken after `position`. */
  #advance(start: Cohort<M>, position: number, { items, isAtEnd }: Taken): void {
    let cohort = start;
    let passed = position;
    const end = cohort.position;
    this.#done = 0;
    for (const item of items) {
      cohort = this.#meet(cohort, passed, firstIdOf(item) - 1);
      passed = lastIdOf(item);
      if (!this.#wants(item)) continue;
      const isTimeToLook = cohort.deliver(item);
      if (isGap(item)) cohort = this.#meet(cohort, item.after + 1, passed - 1, item);
      this.#done += cohort.size;
      const isEnough = this.#done > STEP_DELIVERIES;
      if (!isTimeToLook && !isEnough) continue;
      // Members that leave now continue from here.
      cohort.cursor.moveTo(passed);
      if (isTimeToLook && !this.#look(cohort)) return;
      if (!isEnough) continue;
      this.#settle(cohort, false);
      return;
    }
    cohort = this.#meet(cohort, passed, end);
    cohort.cursor.moveTo(end);
    this.#settle(cohort, isAtEnd);
  }

  #wants(item: Item): boolean {
    return this.#filter === undefined || !(item instanceof Event) || this.#filter.wants(item);
  }

  /**
   * Unites a cohort with those at positions between two ids, both inclusive. Nothing between the two ids is delivered,
   * so all of them have the same next event. If the two ids are within a gap, each cohort first gets the part of the
   * gap after its own position. Stops when the step has done enough; cohorts that were passed over follow in a later
   * step.
   */
  #meet(cohort: Cohort<M>, from: number, to: number, gap?: Gap): Cohort<M> {
    let joined = cohort;
    while (this.#done <= STEP_DELIVERIES) {
      const next = this.#behind.takeBetween(from, to);
      if (next === undefined) break;
      if (gap) this.#tell(next, { ...gap, after: next.position });
      this.#done += MOVE_DELIVERIES * Math.min(joined.size, next.size);
      joined = unite(joined, next);
    }
    return joined;
  }

  #tell(cohort: Cohort<M>, gap: Gap): void {
    this.#meter.gaps++;
    cohort.deliver(gap);
  }

  /**
   * Puts a cohort that has moved where it belongs: it leaves a filter that is done, becomes live, or waits for its next
   * step. `isAtEnd`: nothing follows it.
   */
  #settle(cohort: Cohort<M>, isAtEnd: boolean): void {
    cohort.flush();
    if (cohort.size === 0) return;
    if (this.#filter && cohort.position >= this.#filter.until) this.#endFilter(cohort, this.#filter.onEnd);
    else if (!isAtEnd || !this.#arrive(cohort)) this.#insert(cohort);
  }

  #endFilter(cohort: Cohort<M>, onEnd: FilterEnd): void {
    for (const seat of [...cohort.seats]) cohort.remove(seat);
    onEnd(cohort.position);
  }

  /**
   * Reports `caught_up` to the members that are owed it, then makes the cohort live. Returns false, and does neither,
   * while the id to report is unknown.
   */
  #arrive(cohort: Cohort<M>): boolean {
    this.#newest?.passed(cohort.deliveredId ?? 0);
    const owing = [...cohort.seats].filter(({ owesCaughtUp }) => owesCaughtUp);
    const id = owing.length === 0 ? 0 : this.#idToTell(owing);
    if (id === undefined) return false;
    for (const seat of owing) {
      seat.owesCaughtUp = false;
      seat.member.tell({ type: "caught_up", id });
    }
    const live = this.#live;
    if (live) live.isLive = false;
    else this.#interests.add(this);
    this.#live = live ? unite(live, cohort) : cohort;
    this.#live.isLive = true;
    return true;
  }

  #idToTell(owing: readonly Seat<M>[]): number | undefined {
    if (this.#newest === undefined) return this.#log.head;
    const cameAt = Math.max(...owing.map((seat) => seat.cameAt));
    this.#newest.look();
    return this.#newest.idFor(cameAt);
  }

  /** Lets the members that are full continue alone; returns false if no member is left that can continue now. */
  #look(cohort: Cohort<M>): boolean {
    for (const seat of cohort.takeFull()) {
      if (cohort.isLive) this.#meter.evictions++;
      else if (cohort.size === 1) return this.#pause(cohort, seat.member);
      this.#split(cohort, seat);
    }
    return cohort.size > 0;
  }

  /** The only member of a cohort is full: the cohort pauses, unless the member still has room. */
  #pause(cohort: Cohort<M>, { hasRoom }: M): boolean {
    if (!hasRoom) this.#stalled.add(cohort);
    return hasRoom;
  }

  #split(cohort: Cohort<M>, seat: Seat<M>): void {
    const alone = this.#open(seat, cohort.position, cohort);
    alone.deliveredId = cohort.deliveredId;
    if (cohort.size === 0) this.#drop(cohort);
    if (seat.member.hasRoom) this.#insert(alone);
    else this.#stalled.add(alone);
  }

  #open(seat: Seat<M>, position: number, from?: Cohort<M>): Cohort<M> {
    const cohort = this.#openCohort(this.topics, position);
    cohort.add(seat);
    from?.remove(seat);
    return cohort;
  }

  #insert(cohort: Cohort<M>): void {
    this.#behind.add(cohort);
    this.#sweep.add(this);
    this.#replays.add(this);
  }

  #drop(cohort: Cohort<M>): void {
    if (cohort === this.#live) {
      cohort.isLive = false;
      this.#live = undefined;
      this.#interests.remove(this);
    } else if (!this.#stalled.delete(cohort)) this.#behind.remove(cohort);
  }

  #furthestBehind(distance: Distance): Cohort<M> | undefined {
    return this.#behind.furthestBehind(distance, this.#log.recentFrom);
  }
}

function isGap(item: Item): item is Gap {
  return "type" in item && item.type === "gap";
}
