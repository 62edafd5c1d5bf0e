import type { KeyedMatcher } from "../access/scope.ts";
import type { Start } from "../start.ts";
import { StartSearch } from "../start-search.ts";
import type { Member, Seat } from "./cohort.ts";
import type { Filter, Group } from "./group.ts";
import type { FilteredWish, Groups } from "./groups.ts";
import type { Distance, Work } from "./replays.ts";

/** What a subscriber asks for. */
export interface Subscription {
  readonly topics: KeyedMatcher;
  /** What it may know of, when that is not everything: no id is reported to it that is not of an event within it. */
  readonly scope?: KeyedMatcher | undefined;
  readonly start: Start;
}

/**
 * One subscriber on its way: it looks for its start, follows with others who want the same, and is live.
 *
 * May change what it wants at any time: what was wanted already goes on seamlessly.
 */
export class Follower<M extends Member> implements Work {
  readonly #groups: Groups<M>;
  readonly #search: StartSearch;
  readonly #seat: Seat<M>;
  #wish: FilteredWish;
  #group: Group<M> | undefined;
  #state: "new" | "begun" | "closed" = "new";

  /** Stands at its start at once, and is delivered nothing before it begins. */
  constructor(groups: Groups<M>, member: M, subscription: Subscription) {
    const { log, clock, meter } = groups.options;
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

  /** The last id that the member has passed and may be told of; undefined while that is not known. */
  get passed(): number | undefined {
    if (this.#group) return this.#group.passedBy(this.#seat);
    return this.#wish.scope || this.#search.gap ? undefined : this.#search.position;
  }

  /** From now on the member is delivered to. */
  begin(): void {
    if (this.#state !== "new") return;
    this.#state = "begun";
    if (this.#search.position === undefined) this.#groups.options.replays.add(this);
    else this.#start(this.#search.position);
  }

  /** The member may have room again. */
  wake(): void {
    this.#group?.wake(this.#seat);
  }

  /** Wants other topics from now on; the filter says what of them is wanted among the events up to some id. */
  change(topics: KeyedMatcher, filter: Filter): void {
    this.#wish = { topics, scope: this.#wish.scope, filter };
    if (this.#group && this.#state === "begun") this.#join(this.#groups.leave(this.#seat, this.#group));
  }

  /** Takes part in nothing more; may be called twice. */
  close(): void {
    this.#state = "closed";
    if (this.#group) this.#groups.leave(this.#seat, this.#group);
  }

  /** As work: it is to be done while the place to start from is searched for. */
  has(distance: Distance): boolean {
    return distance === "far" && this.#state === "begun" && this.#search.position === undefined;
  }

  step(): void {
    const position = this.#search.step(this.#groups.options.tuning.pageEvents);
    if (position !== undefined) this.#start(position);
  }

  lag(): undefined {
    return undefined;
  }

  #start(position: number): void {
    const { gap } = this.#search;
    if (gap) {
      this.#groups.options.meter.gaps++;
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
