import type { Cursor } from "../cursor.ts";
import { whenReached } from "../interest/arrival.ts";
import type { Meter, Transport } from "../meter.ts";
import type { EventLog, TopicMatcher } from "../ports.ts";
import type { Tuning } from "../tuning.ts";
import type { BehindAt } from "./behind.ts";
import { type Channel, Cohort, type Member, type Seat } from "./cohort.ts";
import { type Filter, type FilterEnd, Group, type GroupOptions, type Wish } from "./group.ts";
import type { Replays } from "./replays.ts";

/** An edge with its own delivery. */
export interface EdgeOptions<M> {
  /** The transport under which its deliveries are counted. */
  readonly transport: Transport;
  readonly replays: Replays;
  readonly openChannel: () => Channel<M>;
}

export interface GroupsOptions<M extends Member> extends Omit<GroupOptions<M>, "openCohort"> {
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly openCursor: (topics: TopicMatcher, position: number) => Cursor;
  readonly openChannel: () => Channel<M>;
  /** Counts deliveries: events and their bytes, once for each member. */
  readonly count: (events: number, bytes: number) => void;
}

/** What a member requests; with a filter, some of it only from a certain event on. */
export interface FilteredWish extends Wish {
  readonly filter?: Filter | undefined;
}

/** The groups of one edge, by the key of their topics. */
export class Groups<M extends Member> {
  readonly log: EventLog;
  readonly clock: () => number;
  readonly replays: Replays;
  readonly tuning: Tuning;
  readonly meter: Meter;
  /** Calls back once the history has reached the id; returns a function that stops waiting. */
  readonly whenReached: (id: number, onReached: () => void) => () => void;
  readonly #groupOptions: GroupOptions<M>;
  readonly #byKey = new Map<string, Group<M>>();
  /** Groups of one member each, with a filter that is still needed. */
  readonly #alone = new Set<Group<M>>();

  constructor(options: GroupsOptions<M>) {
    const { log, clock, openCursor, openChannel, interests, replays, sweep, tuning, meter, count } = options;
    this.log = log;
    this.clock = clock;
    this.replays = replays;
    this.tuning = tuning;
    this.meter = meter;
    this.whenReached = (id, onReached) => whenReached(interests, log, id, onReached);
    const openCohort = (topics: TopicMatcher, position: number) =>
      new Cohort({
        cursor: openCursor(topics, position),
        channel: openChannel(),
        checkCharacters: tuning.checkCharacters,
        count,
      });
    this.#groupOptions = { log, openCohort, interests, replays, sweep, tuning, meter };
  }

  /**
   * The member continues after this id, in the group that is returned. With a filter this is a group of its own, and
   * `onFilterEnd` is called when the filter has nothing more to do.
   */
  join(seat: Seat<M>, wish: FilteredWish, position: number, onFilterEnd: FilterEnd): Group<M> {
    const { filter, topics } = wish;
    const group =
      filter && position < filter.until
        ? this.#openAlone(wish, { ...filter, onEnd: onFilterEnd })
        : (this.#byKey.get(topics.key) ?? this.#open(wish));
    group.join(seat, position);
    return group;
  }

  /** Removes a member; returns the last id that it passed. */
  leave(seat: Seat<M>, group: Group<M>): number {
    const position = group.leave(seat);
    this.release(group);
    return position;
  }

  /** Forgets a group that has no members left. */
  release(group: Group<M>): void {
    if (!group.isEmpty) return;
    this.#alone.delete(group);
    const { key } = group.topics;
    if (this.#byKey.get(key) === group) this.#byKey.delete(key);
  }

  /** The members that are behind, by position, paused ones included. */
  *behind(): Iterable<BehindAt> {
    for (const groups of [this.#byKey.values(), this.#alone]) for (const group of groups) yield* group.behind();
  }

  #open(wish: Wish): Group<M> {
    const group = new Group<M>(this.#groupOptions, wish);
    this.#byKey.set(wish.topics.key, group);
    return group;
  }

  #openAlone(wish: Wish, filter: Filter & { readonly onEnd: FilterEnd }): Group<M> {
    const group = new Group<M>(this.#groupOptions, wish, filter);
    this.#alone.add(group);
    return group;
  }
}
