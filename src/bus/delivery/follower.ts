import type { SubscriberState } from "../../protocol/subscriber.ts";
import type { KeyedMatcher } from "../access/scope.ts";
import type { Start } from "../start.ts";
import { StartSearch } from "../start-search.ts";
import type { Member, Seat } from "./cohort.ts";
import type { Filter, Group } from "./group.ts";
import type { FilteredWish, Groups } from "./groups.ts";
import type { Distance, Work } from "./replays.ts";

/** What a subscriber requests. */
export interface Subscription {
  readonly topics: KeyedMatcher;
  /** The topics that it may read, if not all: no id is reported to it except those of events within them. */
  readonly scope?: KeyedMatcher | undefined;
  readonly start: Start;
}

/** How far behind a subscriber is, and why. */
export interface Standing {
  readonly state: SubscriberState;
  /** Events between its position and the newest one; undefined while its start is searched for. */
  readonly lag: number | undefined;
}

/**
 * The states of one subscriber: first it searches for its start, then it follows the history in a group with others
 * that have the same request, and at the head it is live.
 *
 * The request may change at any time: what was requested before continues without a gap or a repeat.
 */
export class Follower<M extends Member> implements Work {
  readonly #groups: Groups<M>;
  readonly #search: StartSearch;
  readonly #seat: Seat<M>;
  #wish: FilteredWish;
  #group: Group<M> | undefined;
  #state: "new" | "begun" | "closed" = "new";
  #stopWaiting: () => void = () => {};

  /** Takes its start position at once; nothing is delivered before `begin`. */
  constructor(groups: Groups<M>, member: M, subscription: Subscription) {
    const { log, clock, meter } = groups;
    this.#groups = groups;
    this.#wish = { topics: subscription.topics, scope: subscription.scope };
    this.#search = new StartSearch(log, subscription, clock());
    const { head, isReplay } = this.#search;
    if (isReplay) meter.replays++;
    this.#seat = { member, cameAt: head, owesCaughtUp: isReplay, cohort: undefined };
  }

  get isLive(): boolean {
    return this.#seat.cohort?.isLive ?? false;
  }

  /** The last id that the member has passed and that may be reported to it; undefined while unknown. */
  get passed(): number | undefined {
    if (this.#group) return this.#group.passedBy(this.#seat);
    return this.#wish.scope || this.#search.gap ? undefined : this.#search.position;
  }

  /** Where it is, for figures. Unlike `passed`, it must not be reported to the member. */
  get standing(): Standing {
    const { cohort, member } = this.#seat;
    const position = cohort?.position ?? this.#search.position;
    if (cohort?.isLive) return { state: "live", lag: 0 };
    if (position === undefined) return { state: "starting", lag: undefined };
    const lag = Math.max(0, this.#groups.log.head - position);
    return { state: member.hasRoom ? "catching_up" : "slow", lag };
  }

  /** Starts the delivery. */
  begin(): void {
    if (this.#state !== "new") return;
    this.#state = "begun";
    const { awaitedId } = this.#search;
    if (awaitedId !== undefined) this.#stopWaiting = this.#groups.whenReached(awaitedId, () => this.#look());
    if (this.#search.position === undefined) this.#look();
    else this.#start(this.#search.position);
  }

  /** MUST be called when the member may have room again. */
  wake(): void {
    this.#group?.wake(this.#seat);
  }

  /**
   * Changes the requested topics. The filter says which events up to its `until` are wanted, as the member has not
   * passed the place of the change yet.
   */
  change(topics: KeyedMatcher, filter: Filter): void {
    this.#wish = { topics, scope: this.#wish.scope, filter };
    if (this.#group && this.#state === "begun") this.#join(this.#groups.leave(this.#seat, this.#group));
  }

  /** Ends the delivery; may be called twice. */
  close(): void {
    this.#state = "closed";
    this.#stopWaiting();
    if (this.#group) this.#groups.leave(this.#seat, this.#group);
  }

  /** As work: there is some only while the start position is searched for. */
  has(distance: Distance): boolean {
    const isSearching = this.#search.position === undefined && !this.#search.isWaiting;
    return distance === "far" && this.#state === "begun" && isSearching;
  }

  step(): readonly Work[] {
    const position = this.#search.step(this.#groups.tuning.pageEvents);
    if (position !== undefined) this.#start(position);
    return [this];
  }

  lag(): undefined {
    return undefined;
  }

  #look(): void {
    this.#groups.replays.add(this);
  }

  #start(position: number): void {
    const { gap } = this.#search;
    if (gap) {
      this.#groups.meter.gaps++;
      this.#seat.member.tell(gap);
    }
    this.#join(position);
  }

  #join(position: number): void {
    this.#group = this.#groups.join(this.#seat, this.#wish, position, (passed) => {
      const before = this.#group;
      this.#join(passed);
      if (before) this.#groups.release(before);
    });
  }
}
