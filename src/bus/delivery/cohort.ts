import type { ControlMessage } from "../../protocol/frames.ts";
import type { Cursor, Item } from "../cursor.ts";
import { Event } from "../event.ts";

/** One subscriber, as the delivery sees it. */
export interface Member {
  /** Whether it can take more of the history now. MUST be true when no output is waiting for it. */
  readonly hasRoom: boolean;
  /** Whether the output that is waiting for it has reached its limit. A member that is full leaves its cohort. */
  readonly isFull: boolean;
  /** Sends a message to this member alone. MUST arrive after everything that was delivered to it before. */
  tell(message: ControlMessage): void;
}

/**
 * Delivers to all members of a cohort at once.
 *
 * Each member MUST receive what is delivered between its `add` and its `remove`, in order, and after everything that it
 * received before, from other channels too.
 */
export interface Channel<M> {
  add(member: M): void;
  remove(member: M): void;
  /** MUST return at once. May hold the item until `flush`. */
  deliver(item: Item): void;
  /** Returns once everything delivered before was passed to the transport. */
  flush(): void;
  /**
   * Returns once everything that was delivered before and not yet taken is counted as waiting for the members, so that
   * `isFull` is exact.
   */
  settle(): void;
}

/**
 * Characters delivered, counted once for each member, after which the waiting output is examined. A few kilobytes on
 * their way to thousands of members take as much memory as the bound on all waiting output.
 */
const MAX_UNSEEN_CHARACTERS = 16 * 1024 * 1024;

/** A member's place in its cohort. */
export interface Seat<M extends Member> {
  readonly member: M;
  /** The newest id when the member joined. */
  readonly cameAt: number;
  /** A replay was requested, and its end has not been reported yet. */
  owesCaughtUp: boolean;
  /** Undefined while it is in no cohort. */
  cohort: Cohort<M> | undefined;
}

export interface CohortOptions<M> {
  readonly cursor: Cursor;
  readonly channel: Channel<M>;
  /** Characters delivered between two checks of the output that is waiting for the members. */
  readonly checkCharacters: number;
  /** Counts deliveries: events and their bytes, once for each member. */
  readonly count: (events: number, bytes: number) => void;
}

/** Members with the same request and the same position: what comes next is read and sent once for all of them. */
export class Cohort<M extends Member> {
  readonly cursor: Cursor;
  /** Up to date: receives every event as it is committed. */
  isLive = false;
  /** The last event that was delivered; undefined if none was. */
  deliveredId: number | undefined;
  readonly #channel: Channel<M>;
  readonly #checkCharacters: number;
  readonly #count: (events: number, bytes: number) => void;
  readonly #seats = new Set<Seat<M>>();
  #uncheckedCharacters = 0;
  /** Characters delivered to each member since the last flush. */
  #unseenCharacters = 0;
  #uncounted = { events: 0, bytes: 0 };

  constructor({ cursor, channel, checkCharacters, count }: CohortOptions<M>) {
    this.cursor = cursor;
    this.#channel = channel;
    this.#checkCharacters = checkCharacters;
    this.#count = count;
  }

  get size(): number {
    return this.#seats.size;
  }

  get seats(): Iterable<Seat<M>> {
    return this.#seats;
  }

  /** The last id that the cursor has passed. */
  get position(): number {
    return this.cursor.position;
  }

  /**
   * Whether any member can take more of the history now. The others then receive the same events, until they are full.
   */
  get hasRoom(): boolean {
    for (const { member } of this.#seats) if (member.hasRoom) return true;
    return false;
  }

  /** Adds a member, which receives nothing that was delivered before. */
  add(seat: Seat<M>): void {
    this.flush();
    this.#seats.add(seat);
    this.#channel.add(seat.member);
    seat.cohort = this;
  }

  /** Removes a member, after it has received everything that was delivered before. */
  remove(seat: Seat<M>): void {
    this.flush();
    if (!this.#seats.delete(seat)) return;
    this.#channel.remove(seat.member);
    if (seat.cohort === this) seat.cohort = undefined;
  }

  /** Takes over all members of another cohort, which MUST have the same next event. */
  absorb(other: Cohort<M>): void {
    this.flush();
    other.flush();
    for (const seat of [...other.#seats]) {
      // Add, then remove: Bun sets a socket up again if it was in no channel at all.
      this.add(seat);
      other.remove(seat);
    }
    this.deliveredId = later(this.deliveredId, other.deliveredId);
  }

  /** Delivers to every member. Returns true when `takeFull` is due. */
  deliver(item: Item): boolean {
    this.#channel.deliver(item);
    if (!(item instanceof Event)) return false;
    const characters = item.json.length;
    this.deliveredId = item.id;
    this.#uncounted.events++;
    this.#uncounted.bytes += item.bytes;
    this.#uncheckedCharacters += characters;
    this.#unseenCharacters += characters;
    return this.#uncheckedCharacters >= this.#checkCharacters || this.#isMuchUnseen;
  }

  /** MUST be called before the turn of the loop ends. */
  flush(): void {
    this.#channel.flush();
    this.#unseenCharacters = 0;
    this.#report();
  }

  /** Examines the output that is waiting for each member; returns the members that are full. */
  takeFull(): Seat<M>[] {
    const unseen = this.#isMuchUnseen ? 0 : this.#unseenCharacters;
    if (this.#isMuchUnseen) this.#channel.settle();
    this.flush();
    this.#unseenCharacters = unseen;
    this.#uncheckedCharacters = 0;
    return [...this.#seats].filter(({ member }) => member.isFull);
  }

  get #isMuchUnseen(): boolean {
    return this.#unseenCharacters * this.size >= MAX_UNSEEN_CHARACTERS;
  }

  /** Counts deliveries at each flush, instead of at each event: members are added and removed only after one. */
  #report(): void {
    const { events, bytes } = this.#uncounted;
    if (events === 0) return;
    this.#uncounted = { events: 0, bytes: 0 };
    this.#count(events * this.size, bytes * this.size);
  }
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
