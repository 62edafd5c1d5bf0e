import { spyOn } from "bun:test";
import { Bus, type BusOptions } from "../../src/bus/bus.ts";
import { Cursor, type Item } from "../../src/bus/cursor.ts";
import type { Interest } from "../../src/bus/interest.ts";
import { InterestBucket } from "../../src/bus/interest-bucket.ts";
import type { Pattern } from "../../src/bus/pattern.ts";
import type { EventLog, Page } from "../../src/bus/ports.ts";
import type { Connection } from "../../src/http/connection.ts";
import type { MakeBus } from "./world.ts";

/**
 * Ways to get the hand-over between history and live events wrong, each done to the bus from outside.
 *
 * A model that lets any of them pass would not be worth running.
 */
export const sabotages: Readonly<Record<string, MakeBus>> = {
  "a turn passes between the last page and joining": (log, options) => new LateJoiner(log, options),
  "the last page was read a turn before joining": (log, options) => new Bus(staleLog(log), options),
  "events are delivered a turn after they can be read": (log, options) => new Bus(lateLog(log), options),
  "a page claims to be the last one and is not": (log, options) => new Bus(hastyLog(log), options),
  "falling behind skips one event": withCursor((cursor, id, moveTo) => moveTo.call(cursor, id + 1)),
  "falling behind repeats one event": withCursor((cursor, id, moveTo) => moveTo.call(cursor, id - 1)),
  "falling behind forgets where it was": withCursor(() => {}),
  "a live event is lost now and then": (log, options) => new Forgetful(log, options, 0),
  "a live event is handed over twice now and then": (log, options) => new Forgetful(log, options, 2),
  "gaps are not told": withItems((items) => items.filter((item) => !isGap(item))),
  "gaps end an event too late": withItems((items) =>
    items.map((item) => (isGap(item) ? { ...item, next: item.next + 1 } : item)),
  ),
  "gaps are told twice": withItems((items) => items.flatMap<Item>((item) => (isGap(item) ? [item, item] : [item]))),
  "the end of a replay is told before its last event": withItems((items) =>
    items.toSorted((a, b) => Number(isCaughtUp(b)) - Number(isCaughtUp(a))),
  ),
  "the first event of a page is left out": withItems((items) => (items.length > 1 ? items.slice(1) : items)),
};

type ChangePatterns = (pattern: Pattern, head: number) => void;
/** Does something else on a connection than a method of it does. */
type Act = (original: ChangePatterns, connection: Connection, ...change: Parameters<ChangePatterns>) => void;

/** Ways to get a change of patterns wrong. */
export const patternSabotages: Readonly<Record<string, readonly ["addPattern" | "removePattern", Act]>> = {
  "a new pattern brings events from before it": ["addPattern", (add, _, pattern) => add(pattern, 0)],
  "a new pattern comes some time after it was promised": [
    "addPattern",
    (add, _, pattern, head) => setTimeout(() => add(pattern, head), 2),
  ],
  "a new pattern loses an event of those that stay": [
    "addPattern",
    (add, connection, pattern, head) => {
      add(pattern, head);
      connection.fallBehind(head + 1);
    },
  ],
  "a pattern that was removed stays": ["removePattern", () => {}],
  "removing a pattern repeats an event of those that stay": [
    "removePattern",
    (remove, connection, pattern, head) => {
      remove(pattern, head);
      connection.fallBehind(head - 1);
    },
  ],
};

/** Lets interest tables overlook each fifth bucket from the first time on that they come to it. Undone by `mockRestore`. */
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

/** Hands every seventh event over to those who are live as often as it is told. */
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

/** Everything of a log, but for what is said to be otherwise. */
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

/** A bus whose cursors move otherwise than they are told to when a subscriber falls behind. */
function withCursor(move: (cursor: Cursor, id: number, moveTo: (id: number) => void) => void): MakeBus {
  class MovingElsewhere extends Cursor {
    override moveTo(id: number): void {
      move(this, id, super.moveTo);
    }
  }
  return (log, options) => new BusOfCursors(log, options, MovingElsewhere);
}

/** A bus whose cursors tell something else than what they found. */
function withItems(change: (items: readonly Item[]) => readonly Item[]): MakeBus {
  class TellingOtherwise extends Cursor {
    override take(limit: number) {
      const { items, isAtEnd } = super.take(limit);
      return { items: change(items), isAtEnd };
    }
  }
  return (log, options) => new BusOfCursors(log, options, TellingOtherwise);
}

class BusOfCursors extends Bus {
  readonly #log: EventLog;
  readonly #clock: () => number;
  readonly #cursor: typeof Cursor;

  constructor(log: EventLog, options: BusOptions, cursor: typeof Cursor) {
    super(log, options);
    this.#log = log;
    this.#clock = options.clock;
    this.#cursor = cursor;
  }

  override cursor(...[topics, start = { kind: "live" }, scope]: Parameters<Bus["cursor"]>): Cursor {
    const limited = scope?.isEverything ? undefined : scope;
    return new this.#cursor(this.#log, topics, start, this.#clock(), { scope: limited });
  }
}

function isGap(item: Item): item is Extract<Item, { type: "gap" }> {
  return "type" in item && item.type === "gap";
}

function isCaughtUp(item: Item): boolean {
  return "type" in item && item.type === "caught_up";
}
