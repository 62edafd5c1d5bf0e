import { type Scope, within } from "../../src/bus/access/scope.ts";
import { Bus } from "../../src/bus/bus.ts";
import type { Item } from "../../src/bus/cursor.ts";
import type { Channel, Member } from "../../src/bus/delivery/cohort.ts";
import { Follower, type Subscription } from "../../src/bus/delivery/follower.ts";
import type { Groups } from "../../src/bus/delivery/groups.ts";
import { type Distance, Replays } from "../../src/bus/delivery/replays.ts";
import { Event } from "../../src/bus/event.ts";
import { PatternSet } from "../../src/bus/patterns/pattern-set.ts";
import type { EventLog } from "../../src/bus/ports.ts";
import type { Start } from "../../src/bus/start.ts";
import type { Tuning } from "../../src/bus/tuning.ts";
import type { ControlMessage } from "../../src/protocol/frames.ts";
import { MemoryEventLog } from "./memory-log.ts";

/** A subscriber that takes what it is sent only when the test says so. */
export class FakeMember implements Member {
  /** Ids of events, and messages: all that it was sent. */
  readonly sent: (number | ControlMessage)[] = [];
  /** This many items may wait for it; it is full with twice as many. */
  room: number;
  #taken = 0;

  constructor(room = Number.POSITIVE_INFINITY) {
    this.room = room;
  }

  get waiting(): number {
    return this.sent.length - this.#taken;
  }

  get hasRoom(): boolean {
    return this.waiting <= this.room;
  }

  get isFull(): boolean {
    return this.waiting > 2 * this.room;
  }

  tell(message: ControlMessage): void {
    this.sent.push(message);
  }

  takeAll(): void {
    this.#taken = this.sent.length;
  }

  get events(): number[] {
    return this.sent.filter((item) => typeof item === "number");
  }
}

/** Holds what it is given until it is flushed, and counts how often each event was delivered by any channel. */
class FakeChannel implements Channel<FakeMember> {
  readonly #members = new Set<FakeMember>();
  readonly #deliveries: number[];
  #held: Item[] = [];

  constructor(deliveries: number[]) {
    this.#deliveries = deliveries;
  }

  add(member: FakeMember): void {
    this.#members.add(member);
  }

  remove(member: FakeMember): void {
    this.#members.delete(member);
  }

  deliver(item: Item): void {
    this.#held.push(item);
    if (item instanceof Event) this.#deliveries.push(item.id);
  }

  settle(): void {
    this.flush();
  }

  flush(): void {
    for (const item of this.#held) {
      for (const { sent } of this.#members) sent.push(item instanceof Event ? item.id : item);
    }
    this.#held = [];
  }
}

export interface DeliveryOptions {
  readonly tuning?: Partial<Tuning>;
  readonly maxHistory?: number;
  readonly log?: EventLog;
  /** See `ReplaysOptions`. */
  readonly gather?: (done: () => void) => void;
}

interface FollowOptions {
  readonly patterns?: readonly string[];
  /** See `FakeMember`. */
  readonly room?: number;
  readonly scope?: Scope;
  readonly isWaiting?: boolean;
}

/** A bus with subscribers that are delivered to by steps. */
export class Delivery {
  readonly bus: Bus;
  readonly log: EventLog;
  readonly replays: Replays;
  readonly groups: Groups<FakeMember>;
  /** The ids of events, each time that a channel was handed one. */
  readonly deliveries: number[] = [];
  readonly followers: { readonly member: FakeMember; readonly follower: Follower<FakeMember> }[] = [];

  constructor({ tuning = {}, maxHistory, log = new MemoryEventLog(() => 0), gather }: DeliveryOptions = {}) {
    this.log = log;
    this.bus = new Bus(log, { clock: () => 0, tuning, ...(maxHistory === undefined ? {} : { maxHistory }) });
    this.replays = new Replays({ onWork: () => {}, ...(gather === undefined ? {} : { gather }) });
    this.groups = this.bus.openGroups<FakeMember>({
      transport: "library",
      replays: this.replays,
      openChannel: () => new FakeChannel(this.deliveries),
    });
  }

  /** Subscribes; the subscriber begins at once unless it is waiting. */
  follow(start: Start, { patterns = ["*"], room, scope, isWaiting = false }: FollowOptions = {}) {
    const member = new FakeMember(room);
    const asked = PatternSet.parse(patterns);
    const subscription: Subscription = scope
      ? { topics: within(scope, asked), scope, start }
      : { topics: asked, start };
    const follower = new Follower(this.groups, member, subscription);
    if (!isWaiting) follower.begin();
    const one = { member, follower };
    this.followers.push(one);
    return one;
  }

  async publish(count: number, topic = "a"): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.bus.publish(topic, null)));
  }

  /** Steps until nothing is left to do; returns how many. */
  run(...distances: Distance[]): number {
    let steps = 0;
    const kinds: readonly Distance[] = distances.length === 0 ? ["near", "far"] : distances;
    while (kinds.some((distance) => this.replays.step(distance))) steps++;
    return steps;
  }
}
