import { spyOn } from "bun:test";
import { Scope } from "../../src/bus/access/scope.ts";
import { Bus, type BusOptions } from "../../src/bus/bus.ts";
import { Cursor, type Item } from "../../src/bus/cursor.ts";
import { Cohort } from "../../src/bus/delivery/cohort.ts";
import { Follower } from "../../src/bus/delivery/follower.ts";
import { Group } from "../../src/bus/delivery/group.ts";
import { Event } from "../../src/bus/event.ts";
import type { Interest } from "../../src/bus/interest/interest.ts";
import { InterestBucket } from "../../src/bus/interest/interest-bucket.ts";
import type { EventLog, Page, TopicMatcher } from "../../src/bus/ports.ts";
import { EventStream } from "../../src/http/stream/event-stream.ts";
import { StreamChannel } from "../../src/http/stream/stream-channel.ts";
import { Connection } from "../../src/http/websocket/connection.ts";
import { SocketChannel } from "../../src/http/websocket/socket-channel.ts";
import type { MakeBus } from "./world.ts";

/**
 * Ways to get the hand-over between history and live events wrong, each done to the bus from outside.
 *
 * A model that lets any of them pass would not be worth running.
 */
export const busSabotages: Readonly<Record<string, MakeBus>> = {
  "a turn passes between the last page and joining": (log, options) => new LateJoiner(log, options),
  "the last page was read a turn before joining": (log, options) => new Bus(staleLog(log), options),
  "events are delivered a turn after they can be read": (log, options) => new Bus(lateLog(log), options),
  "a page claims to be the last one and is not": (log, options) => new Bus(hastyLog(log), options),
  "going on by history skips one event": withCursor((id, moveTo) => moveTo(id + 1)),
  "going on by history repeats one event": withCursor((id, moveTo) => moveTo(id - 1)),
  "going on by history forgets where it was": withCursor(() => {}),
  "a live event is lost now and then": (log, options) => new Forgetful(log, options, 0),
  "a live event is handed over twice now and then": (log, options) => new Forgetful(log, options, 2),
  "gaps are not reported": withItems((items) => items.filter((item) => !isGap(item))),
  "gaps end an event too late": withItems((items) =>
    items.map((item) => (isGap(item) ? { ...item, next: item.next + 1 } : item)),
  ),
  "gaps are reported twice": withItems((items) => items.flatMap<Item>((item) => (isGap(item) ? [item, item] : [item]))),
  "the first event of a page is left out": withItems((items) => (items.length > 1 ? items.slice(1) : items)),
};

/** Ways to get it wrong in the code itself. Each puts the fault in, and returns what takes it out again. */
export const codeSabotages: Readonly<Record<string, () => () => void>> = {
  "what a token may see is not looked at": replaced(Scope.prototype, "matches", () => () => true),

  "a bucket of interests is overlooked": () => {
    const forgetful = forgetBuckets();
    return () => void forgetful.mockRestore();
  },

  // Subscribers that follow together, meet and part.
  "cohorts that meet lose what was on its way": replaced(Cohort.prototype, "absorb", (absorb, cohort) => (other) => {
    const { flush } = cohort;
    cohort.flush = () => {};
    absorb(other);
    cohort.flush = flush;
  }),
  "cohorts that meet leave a member out": replaced(Cohort.prototype, "absorb", (absorb) => (other) => {
    const [seat] = other.seats;
    if (seat && other.size > 1) other.remove(seat);
    absorb(other);
  }),
  "cohorts that meet go on from the wrong place": replaced(Cohort.prototype, "absorb", (absorb, cohort) => (other) => {
    absorb(other);
    cohort.deliver = (item) => (cohort.isLive ? Cohort.prototype.deliver.call(cohort, item) : false);
  }),
  "a socket that leaves a cohort stays in its channel": replaced(SocketChannel.prototype, "remove", () => () => {}),
  "a stream that leaves a cohort stays in its channel": replaced(StreamChannel.prototype, "remove", () => () => {}),
  "who is full goes on after an event that it was not given": replaced(
    Cohort.prototype,
    "takeFull",
    (takeFull, cohort) => () => {
      const full = takeFull();
      if (full.length > 0 && full.length < cohort.size) cohort.cursor.moveTo(cohort.position + 1);
      return full;
    },
  ),
  "a sweep skips an event now and then": replaced(Cohort.prototype, "deliver", (deliver, cohort) => (item) => {
    return isSeventh(item) && !cohort.isLive ? false : deliver(item);
  }),
  "a sweep delivers an event twice now and then": replaced(Cohort.prototype, "deliver", (deliver, cohort) => (item) => {
    if (isSeventh(item) && !cohort.isLive) deliver(item);
    return deliver(item);
  }),
  "who shares a slice misses an event now and then": replaced(
    Group.prototype,
    "share",
    (share) => (distance, slice, matching) => {
      share(
        distance,
        slice,
        matching.filter((event) => !isSeventh(event)),
      );
    },
  ),
  "who shares a slice gets an event twice now and then": replaced(
    Group.prototype,
    "share",
    (share) => (distance, slice, matching) => {
      share(
        distance,
        slice,
        matching.flatMap((event) => (isSeventh(event) ? [event, event] : [event])),
      );
    },
  ),
  "who shares a slice is served again from the same place": replaced(
    Cursor.prototype,
    "takeOf",
    (takeOf, cursor) => (end, matching) => {
      const { position } = cursor;
      const taken = takeOf(end, matching);
      cursor.moveTo(position);
      return taken;
    },
  ),
  "who shares a slice joins it an event too late": replaced(
    Cursor.prototype,
    "takeOf",
    (takeOf, cursor) => (end, matching) => {
      cursor.moveTo(cursor.position + 1);
      return takeOf(end, matching);
    },
  ),
  "who shares a slice gets what came before its place, too": replaced(
    Cursor.prototype,
    "takeOf",
    (takeOf) => (end, matching) => ({ ...takeOf(end, matching), items: matching }),
  ),
  "a gap begins before the place where its member stood": replaced(
    Cohort.prototype,
    "deliver",
    (deliver) => (item) => deliver(isGap(item) ? { ...item, after: Math.max(0, item.after - 1) } : item),
  ),
  "the end of a replay is not reported by WebSocket": replaced(Connection.prototype, "tell", () => () => {}),
  "the end of a replay is not reported by a stream": replaced(EventStream.prototype, "tell", () => () => {}),

  // Changes of what is wanted.
  "a new pattern brings events from before it": replaced(Connection.prototype, "addPattern", (add) => (pattern) => {
    add(pattern, 0);
  }),
  "a new pattern comes some time after it was promised": replaced(
    Connection.prototype,
    "addPattern",
    (add) => (pattern, head) => void setTimeout(() => add(pattern, head), 2),
  ),
  "a new pattern begins an event too late": replaced(Connection.prototype, "addPattern", (add) => (pattern, head) => {
    add(pattern, head + 1);
  }),
  "a pattern that was removed stays": replaced(Connection.prototype, "removePattern", () => () => {}),
  "what is new is not filtered": replaced(Follower.prototype, "change", (change) => (topics, filter) => {
    change(topics, { ...filter, wants: () => true });
  }),
  "what is new is filtered for too short": replaced(Follower.prototype, "change", (change) => (topics, filter) => {
    change(topics, { ...filter, until: filter.until - 3 });
  }),
  "what stays is filtered out": replaced(Follower.prototype, "change", (change) => (topics, filter) => {
    change(topics, { ...filter, wants: ({ id }) => id > filter.until });
  }),
};

/** Each fifth visit to a bucket of an interest table that was not searched yet finds nothing. Undone by `mockRestore`. */
export function forgetBuckets() {
  const original = InterestBucket.prototype.addMatching;
  const kept = new WeakSet<object>();
  let count = 0;
  return spyOn(InterestBucket.prototype, "addMatching").mockImplementation(function (
    this: InterestBucket<never>,
    ...question
  ) {
    if (!kept.has(this) && ++count % 5 === 0) return;
    kept.add(this);
    original.apply(this, question);
  });
}

/** Puts something else in the place of a method; `original` is bound to the object. */
function replaced<T extends object, K extends keyof T>(prototype: T, name: K, make: (original: T[K], self: T) => T[K]) {
  return (): (() => void) => {
    const original = prototype[name];
    const replacement = function (this: T, ...args: unknown[]) {
      const bound: unknown = (original as CallableFunction).bind(this);
      return Reflect.apply(make(bound as T[K], this) as CallableFunction, this, args);
    };
    prototype[name] = replacement as T[K];
    return () => {
      prototype[name] = original;
    };
  };
}

function isSeventh(item: Item): boolean {
  return item instanceof Event && item.id % 7 === 0;
}

class LateJoiner extends Bus {
  readonly #coming = new Set<Interest>();

  override addInterest(interest: Interest): void {
    this.#coming.add(interest);
    setImmediate(() => {
      if (this.#coming.delete(interest)) super.addInterest(interest);
    });
  }

  override removeInterest(interest: Interest): void {
    if (!this.#coming.delete(interest)) super.removeInterest(interest);
  }
}

/** Delivers every seventh event to live members as often as given. */
class Forgetful extends Bus {
  readonly #times: number;
  readonly #wrapped = new Map<Interest, Interest>();

  constructor(log: EventLog, options: BusOptions, times: number) {
    super(log, options);
    this.#times = times;
  }

  override addInterest(interest: Interest): void {
    const wrapped: Interest = {
      topics: interest.topics,
      deliver: (event) => {
        for (let time = 0; time < (event.id % 7 === 0 ? this.#times : 1); time++) interest.deliver(event);
      },
      endBatch: () => interest.endBatch?.(),
    };
    this.#wrapped.set(interest, wrapped);
    super.addInterest(wrapped);
  }

  override removeInterest(interest: Interest): void {
    super.removeInterest(this.#wrapped.get(interest) ?? interest);
  }
}

/** Everything of a log, except for the changes. */
function altered(log: EventLog, changes: Partial<EventLog>): EventLog {
  return new Proxy(log, {
    get: (_, name) => {
      const value: unknown = Reflect.get(name in changes ? changes : log, name);
      return typeof value === "function" ? value.bind(log) : value;
    },
  });
}

/** Reads as if the newest batch were not there yet, in the turn in which it was committed and the next one. */
function staleLog(log: EventLog): EventLog {
  let visible = log.head;
  log.onCommit(() => {
    const { head } = log;
    setImmediate(() =>
      setImmediate(() => {
        visible = Math.max(visible, head);
      }),
    );
  });
  return altered(log, {
    read: (filter, after, limit) => {
      const page = log.read(filter, after, limit);
      const events = page.events.filter(({ id }) => id <= visible);
      return { ...page, events, end: Math.max(after, Math.min(page.end, visible)) };
    },
  });
}

function lateLog(log: EventLog): EventLog {
  return altered(log, { onCommit: (listener) => log.onCommit((batch) => setImmediate(() => listener(batch))) });
}

function hastyLog(log: EventLog): EventLog {
  return altered(log, { read: (...question): Page => ({ ...log.read(...question), done: true }) });
}

/** A bus with cursors that do not move where they should. */
function withCursor(move: (id: number, moveTo: (id: number) => void) => void): MakeBus {
  class MovingElsewhere extends Cursor {
    override moveTo(id: number): void {
      move(id, (to) => super.moveTo(to));
    }
  }
  return (log, options) => new BusOfCursors(log, options, MovingElsewhere);
}

/** A bus with cursors that do not report what they found. */
function withItems(change: (items: readonly Item[]) => readonly Item[]): MakeBus {
  class ReportingOtherwise extends Cursor {
    override take(limit: number) {
      const { items, isAtEnd } = super.take(limit);
      return { items: change(items), isAtEnd };
    }
  }
  return (log, options) => new BusOfCursors(log, options, ReportingOtherwise);
}

class BusOfCursors extends Bus {
  readonly #log: EventLog;
  readonly #cursor: typeof Cursor;

  constructor(log: EventLog, options: BusOptions, cursor: typeof Cursor) {
    super(log, options);
    this.#log = log;
    this.#cursor = cursor;
  }

  override cursor(topics: TopicMatcher, position: number): Cursor {
    return new this.#cursor(this.#log, topics, position);
  }
}

function isGap(item: Item): item is Extract<Item, { type: "gap" }> {
  return "type" in item && item.type === "gap";
}
