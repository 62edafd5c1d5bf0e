import type { ControlMessage } from "../../protocol/frames.ts";
import type { Cursor, Item } from "../cursor.ts";
import { Event } from "../event.ts";

/** One subscriber, as those who deliver to it see it. */
export interface Member {
  /** Whether it takes more of the history now. MUST be so when nothing waits for it. */
  readonly hasRoom: boolean;
  /** Whether as much waits for it as may. A member that is full leaves its cohort. */
  readonly isFull: boolean;
  /** Sends a message to this member alone. MUST come behind all that was delivered to it before. */
  tell(message: ControlMessage): void;
}

/**
 * The way to all members of a cohort at once.
 *
 * Each member MUST get what is delivered from its `add` to its `remove`, in order, behind all that it got before, from
 * other channels too.
 */
export interface Channel<M> {
  add(member: M): void;
  remove(member: M): void;
  /** MUST return at once. May hold the item until `flush`. */
  deliver(item: Item): void;
  /** Everything delivered before is on its way when this returns. */
  flush(): void;
  /** What was delivered before, and was not taken, waits for the members when this returns: it can be seen who is full. */
  settle(): void;
}

/**
 * Characters delivered, once for each member, before it is looked what waits for them. A few kilobytes that are on their
 * way to thousands of members take as much memory as what may wait in all.
 */
const MAX_UNSEEN_CHARACTERS = 16 * 1024 * 1024;

/** The place of a member among the others. */
export interface Seat<M extends Member> {
  readonly member: M;
  /** The newest id when the member came. */
  readonly cameAt: number;
  /** A replay was asked for, and its end has not been reported yet. */
  owesCaughtUp: boolean;
  /** Undefined while it takes part in nothing. */
  cohort: Cohort<M> | undefined;
}

export interface CohortOptions<M> {
  readonly cursor: Cursor;
  readonly channel: Channel<M>;
  /** Characters delivered between two looks at what waits for the members. */
  readonly checkCharacters: number;
  /** Counts deliveries: events and their characters, once for each member. */
  readonly count: (events: number, characters: number) => void;
}

/** Members who stand at the same place of the history and want the same: what comes next is read and sent once. */
export class Cohort<M extends Member> {
  readonly cursor: Cursor;
  /** Up to date: handed every event as it is committed. */
  isLive = false;
  /** The last event that was delivered; undefined when none was. */
  deliveredId: number | undefined;
  readonly #options: CohortOptions<M>;
  readonly #seats = new Set<Seat<M>>();
  #uncheckedCharacters = 0;
  /** Delivered since everything was on its way, to one member. */
  #unseenCharacters = 0;
  #uncounted = { events: 0, characters: 0 };

  constructor(options: CohortOptions<M>) {
    this.cursor = options.cursor;
    this.#options = options;
  }

  get size(): number {
    return this.#seats.size;
  }

  get seats(): Iterable<Seat<M>> {
    return this.#seats;
  }

  /** The last id that was passed. */
  get position(): number {
    return this.cursor.position;
  }

  /** Whether anybody takes more of the history now: the others get what that one gets until they are full. */
  get hasRoom(): boolean {
    for (const { member } of this.#seats) if (member.hasRoom) return true;
    return false;
  }

  /** The member gets nothing that was delivered before. */
  add(seat: Seat<M>): void {
    this.flush();
    this.#seats.add(seat);
    this.#options.channel.add(seat.member);
    seat.cohort = this;
  }

  /** The member gets everything that was delivered before. */
  remove(seat: Seat<M>): void {
    this.flush();
    if (!this.#seats.delete(seat)) return;
    this.#options.channel.remove(seat.member);
    if (seat.cohort === this) seat.cohort = undefined;
  }

  /** Takes over all members of another cohort, which MUST stand at the same place. */
  absorb(other: Cohort<M>): void {
    this.flush();
    other.flush();
    for (const seat of [...other.#seats]) {
      // First in, then out: a socket in no channel at all is set up anew by Bun.
      this.add(seat);
      other.remove(seat);
    }
    this.deliveredId = later(this.deliveredId, other.deliveredId);
  }

  /** Delivers to every member. True when it is time to look who is full. */
  deliver(item: Item): boolean {
    this.#options.channel.deliver(item);
    if (!(item instanceof Event)) return false;
    const characters = item.json.length;
    this.deliveredId = item.id;
    this.#uncounted.events++;
    this.#uncounted.characters += characters;
    this.#uncheckedCharacters += characters;
    this.#unseenCharacters += characters;
    return this.#uncheckedCharacters >= this.#options.checkCharacters || this.#isMuchUnseen;
  }

  /** To be called before the turn of the loop ends. */
  flush(): void {
    this.#options.channel.flush();
    this.#unseenCharacters = 0;
    this.#count();
  }

  /** Looks at what waits for each member; returns those who are full. */
  takeFull(): Seat<M>[] {
    const unseen = this.#isMuchUnseen ? 0 : this.#unseenCharacters;
    if (this.#isMuchUnseen) this.#options.channel.settle();
    this.flush();
    this.#unseenCharacters = unseen;
    this.#uncheckedCharacters = 0;
    return [...this.#seats].filter(({ member }) => member.isFull);
  }

  get #isMuchUnseen(): boolean {
    return this.#unseenCharacters * this.size >= MAX_UNSEEN_CHARACTERS;
  }

  /** Counts before members come and go, and not for each event. */
  #count(): void {
    const { events, characters } = this.#uncounted;
    if (events === 0) return;
    this.#uncounted = { events: 0, characters: 0 };
    this.#options.count(events * this.size, characters * this.size);
  }
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
