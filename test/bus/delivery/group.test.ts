import { describe, expect, test } from "bun:test";
import { PatternSet } from "../../../src/bus/patterns/pattern-set.ts";
import type { EventLog } from "../../../src/bus/ports.ts";
import { Delivery } from "../../helpers/delivery.ts";
import { range } from "../../helpers/memory-bus.ts";
import { MemoryEventLog } from "../../helpers/memory-log.ts";

const ALL = { kind: "all" } as const;
const after = (id: number) => ({ kind: "after", id }) as const;
const caughtUp = (id: number) => ({ type: "caught_up", id }) as const;

describe("a subscriber that starts with the next event", () => {
  test("is live at once, and receives what is published", async () => {
    const delivery = new Delivery();
    await delivery.publish(2);
    const { member, follower } = delivery.follow({ kind: "live" });
    expect(follower.isLive).toBe(true);
    await delivery.publish(3);
    expect(member.sent).toEqual([3, 4, 5]);
  });

  test("by name gets the end of its empty replay at once", async () => {
    const delivery = new Delivery();
    await delivery.publish(2);
    expect(delivery.follow({ kind: "now" }).member.sent).toEqual([caughtUp(2)]);
  });

  test("gets what was published before it began", async () => {
    const delivery = new Delivery();
    const { member, follower } = delivery.follow({ kind: "live" }, { isWaiting: true });
    await delivery.publish(2);
    expect(member.sent).toEqual([]);
    follower.begin();
    delivery.run();
    expect(member.sent).toEqual([1, 2]);
  });
});

describe("subscribers with the same request", () => {
  test("are swept together from the one furthest behind, each event delivered once for all", async () => {
    const delivery = new Delivery({ tuning: { pageEvents: 7 } });
    await delivery.publish(100);
    const members = [90, 10, 50, 0, 10].map((id) => delivery.follow(after(id)).member);
    delivery.run();
    expect(delivery.deliveries).toEqual(range(1, 100));
    expect(members.map(({ sent }) => sent)).toEqual(
      [90, 10, 50, 0, 10].map((id) => [...range(id + 1, 100), caughtUp(100)]),
    );
  });

  test("are live together from then on", async () => {
    const delivery = new Delivery();
    await delivery.publish(3);
    const { member: early } = delivery.follow({ kind: "live" });
    const { member: late, follower } = delivery.follow(ALL);
    delivery.run();
    expect(follower.isLive).toBe(true);
    delivery.deliveries.length = 0;
    await delivery.publish(2);
    expect(delivery.deliveries).toEqual([4, 5]);
    expect([early.sent, late.sent]).toEqual([
      [4, 5],
      [1, 2, 3, caughtUp(3), 4, 5],
    ]);
  });

  test("meet though nothing that they want lies between them", async () => {
    const delivery = new Delivery();
    await delivery.publish(1, "rare");
    await delivery.publish(20, "common");
    await delivery.publish(1, "rare");
    for (const id of [1, 5, 9, 20]) delivery.follow(after(id), { patterns: ["rare"] });
    delivery.run();
    expect(delivery.deliveries).toEqual([22]);
  });

  test("are counted once for each of them", async () => {
    const delivery = new Delivery();
    await delivery.publish(10);
    for (const id of [0, 5]) delivery.follow(after(id));
    delivery.run();
    await delivery.publish(1);
    expect(delivery.bus.meter.delivered.library).toBe(10 + 5 + 2);
  });

  test("with different requests that each want little take turns", async () => {
    const delivery = new Delivery({ tuning: { pageEvents: 10 } });
    const topics = Array.from("abcdefghij");
    for (const _ of range(1, 40)) await Promise.all(topics.map((topic) => delivery.publish(1, topic)));
    const members = topics.slice(0, 3).map((topic) => delivery.follow(ALL, { patterns: [topic] }).member);
    delivery.run();
    const late = topics.slice(0, 3).map((topic) => delivery.follow(ALL, { patterns: [topic] }).member);
    for (const _ of range(1, 6)) delivery.replays.step("near");
    expect(late.map(({ events }) => events.length)).toEqual([20, 20, 20]);
    expect(members.map(({ events }) => events.length)).toEqual([40, 40, 40]);
  });

  test("are not all served in one step when they are many", async () => {
    const delivery = new Delivery();
    await delivery.publish(100);
    for (const _ of range(1, 1000)) delivery.follow(ALL);
    delivery.replays.step("near");
    expect(delivery.deliveries.length).toBeLessThan(50);
    delivery.run();
    expect(delivery.deliveries).toEqual(range(1, 100));
  });
});

describe("subscribers that arrive soon after another one", () => {
  test("wait for one another, and are swept together, while the first one begins at once", async () => {
    const windows: (() => void)[] = [];
    const delivery = new Delivery({ gather: (done) => void windows.push(done) });
    await delivery.publish(10);
    const first = delivery.follow(ALL);
    delivery.run();
    expect(first.follower.isLive).toBe(true);
    const others = [after(3), after(1), after(2)].map((start) => delivery.follow(start));
    const gone = delivery.follow(ALL);
    gone.follower.close();
    expect(delivery.run()).toBe(0);
    expect([...delivery.groups.behind()]).toHaveLength(3);
    delivery.deliveries.length = 0;
    windows.shift()?.();
    delivery.run();
    expect(delivery.deliveries).toEqual(range(2, 10));
    expect(others.map(({ follower }) => follower.isLive)).toEqual([true, true, true]);
    expect(gone.member.sent).toEqual([]);
    // No subscriber came in the second window, so the next one is a first one again.
    windows.shift()?.();
    const next = delivery.follow(ALL);
    delivery.run();
    expect(next.follower.isLive).toBe(true);
  });

  test("begin when the last of a crowd has come, or when others have come for long enough", async () => {
    const windows: (() => void)[] = [];
    const delivery = new Delivery({ gather: (done) => void windows.push(done) });
    await delivery.publish(10);
    delivery.follow(ALL);
    delivery.run();
    const crowd = () => range(1, 10).map(() => delivery.follow(ALL));
    const early = crowd();
    windows.shift()?.();
    expect(delivery.run()).toBe(0);
    windows.shift()?.();
    delivery.run();
    expect(early.map(({ follower }) => follower.isLive)).toEqual(early.map(() => true));
    const [waiting] = crowd();
    let waits = 0;
    for (; waiting?.follower.isLive === false && waits < 1000; waits++) {
      crowd();
      windows.shift()?.();
      delivery.run();
    }
    expect(waits).toBeGreaterThan(1);
    expect(waits).toBeLessThan(1000);
  });

  test("are live at once when they are not behind", async () => {
    const delivery = new Delivery({ gather: () => {} });
    await delivery.publish(10);
    delivery.follow(ALL);
    expect(delivery.follow(after(10)).follower.isLive).toBe(true);
  });
});

describe("a member with too much waiting output", () => {
  test("leaves the others, and continues from its last event when it has room", async () => {
    const delivery = new Delivery({ tuning: { checkCharacters: 1 } });
    const slow = delivery.follow({ kind: "live" }, { room: 2 });
    const quick = delivery.follow({ kind: "live" });
    await delivery.publish(20);
    expect(slow.member.sent).toEqual(range(1, 5));
    expect([slow.follower.isLive, quick.follower.isLive]).toEqual([false, true]);
    expect(delivery.bus.meter.evictions).toBe(1);
    expect(delivery.run()).toBe(0);
    for (const seen of [10, 15, 20]) {
      slow.member.takeAll();
      slow.follower.wake();
      delivery.run();
      expect(slow.member.sent).toEqual(range(1, seen));
    }
    expect(quick.member.sent).toEqual(range(1, 20));
  });

  test("leaves a cohort that is behind, too, and delays no other member", async () => {
    const delivery = new Delivery({ tuning: { checkCharacters: 1, pageEvents: 5 } });
    await delivery.publish(50);
    const slow = delivery.follow(ALL, { room: 3 });
    const quick = delivery.follow(ALL);
    delivery.run();
    expect(quick.member.events).toEqual(range(1, 50));
    expect(slow.member.sent).toEqual(range(1, 7));
    slow.member.room = 1000;
    slow.follower.wake();
    delivery.run();
    expect(slow.member.sent).toEqual([...range(1, 50), caughtUp(50)]);
    expect(slow.follower.isLive).toBe(true);
  });

  test("is passed by members that read, and joins them again where it catches up", async () => {
    const delivery = new Delivery({ tuning: { checkCharacters: 1, pageEvents: 5 } });
    await delivery.publish(20);
    const slow = delivery.follow(ALL, { room: 1 });
    delivery.run();
    const other = delivery.follow(after(10));
    delivery.replays.step("near");
    expect([slow.member.sent, other.member.sent]).toEqual([
      [1, 2, 3],
      [11, 12, 13, 14, 15],
    ]);
    slow.member.room = 1000;
    slow.follower.wake();
    delivery.deliveries.length = 0;
    delivery.run();
    expect(delivery.deliveries).toEqual(range(4, 20));
    expect([slow.member.events, other.member.events]).toEqual([range(1, 20), range(11, 20)]);
  });

  test("counts as no work while it takes nothing", async () => {
    const delivery = new Delivery({ tuning: { checkCharacters: 1 } });
    await delivery.publish(20);
    delivery.follow(ALL, { room: 0 });
    delivery.run();
    expect([delivery.replays.has("near"), delivery.replays.lag("near")]).toEqual([false, undefined]);
    expect([...delivery.groups.behind()]).toMatchObject([{ members: 1, distance: "near" }]);
  });
});

describe("gaps", () => {
  test("that retention has left are reported to each from where it stood, before they continue together", async () => {
    const delivery = new Delivery({ maxHistory: 10 });
    await delivery.publish(100);
    const members = [3, 40, 89].map((id) => delivery.follow(after(id)).member);
    await delivery.bus.prune();
    delivery.run();
    const gap = (id: number) => ({ type: "gap", after: id, next: 91 }) as const;
    expect(members.map(({ sent }) => sent)).toEqual([
      [gap(3), ...range(91, 100), caughtUp(100)],
      [gap(40), ...range(91, 100), caughtUp(100)],
      [gap(89), ...range(91, 100), caughtUp(100)],
    ]);
    expect(delivery.deliveries).toEqual(range(91, 100));
    expect(delivery.bus.meter.gaps).toBe(3);
  });

  test("of damaged events are reported to members before and within them, each from its own place", async () => {
    const log = damagedLog(20, [5, 6, 7, 8]);
    const delivery = new Delivery({ log });
    await delivery.publish(20);
    const members = [2, 4, 6, 8, 10].map((id) => delivery.follow(after(id)).member);
    delivery.run();
    const gap = (id: number) => ({ type: "gap", after: id, next: 9 }) as const;
    const rest = [...range(9, 20), caughtUp(20)];
    expect(members.map(({ sent }) => sent)).toEqual([
      [3, 4, gap(4), ...rest],
      [gap(4), ...rest],
      [gap(6), ...rest],
      rest,
      rest.slice(2),
    ]);
  });

  test("reach a member that was full when retention overtook it", async () => {
    const delivery = new Delivery({ maxHistory: 5, tuning: { checkCharacters: 1 } });
    const { member, follower } = delivery.follow({ kind: "live" }, { room: 1 });
    await delivery.publish(20);
    await delivery.bus.prune();
    member.room = 100;
    follower.wake();
    delivery.run();
    expect(member.sent).toEqual([1, 2, 3, { type: "gap", after: 3, next: 16 }, ...range(16, 20)]);
  });
});

describe("changing the patterns", () => {
  const filter = (after: number) => ({
    until: after,
    wants: ({ topic, id }: { topic: string; id: number }) => topic === "a" || id > after,
  });

  test("while behind delivers nothing newly wanted from before, and everything from then on", async () => {
    const delivery = new Delivery({ tuning: { pageEvents: 2 } });
    for (const _ of range(1, 5)) {
      await delivery.publish(1, "a");
      await delivery.publish(1, "b");
    }
    const { member, follower } = delivery.follow(ALL, { patterns: ["a"] });
    delivery.replays.step("near");
    follower.change(PatternSet.parse(["a", "b"]), filter(10));
    await delivery.publish(2, "b");
    delivery.run();
    expect(member.sent).toEqual([1, 3, 5, 7, 9, 11, 12, caughtUp(12)]);
    expect(follower.isLive).toBe(true);
  });

  test("joins members with the same request as soon as nothing is left to filter", async () => {
    const delivery = new Delivery({ tuning: { pageEvents: 2 } });
    await delivery.publish(10, "b");
    const { follower, member } = delivery.follow(ALL, { patterns: ["a"] });
    follower.change(PatternSet.parse(["a", "b"]), filter(10));
    const other = delivery.follow(ALL, { patterns: ["b", "a"] });
    await delivery.publish(20, "b");
    delivery.run();
    expect(member.events).toEqual(range(11, 30));
    expect(other.member.events).toEqual(range(1, 30));
    expect(delivery.deliveries.filter((id) => id > 30)).toEqual([]);
    await delivery.publish(1, "b");
    expect(delivery.deliveries.filter((id) => id > 30)).toEqual([31]);
  });

  test("while live continues with the next event", async () => {
    const delivery = new Delivery();
    const { member, follower } = delivery.follow({ kind: "live" }, { patterns: ["a"] });
    await delivery.publish(1, "b");
    follower.change(PatternSet.parse(["a", "b"]), filter(1));
    await delivery.publish(1, "b");
    follower.change(PatternSet.parse(["b"]), filter(1));
    await delivery.publish(1, "a");
    await delivery.publish(1, "b");
    expect(member.sent).toEqual([2, 4]);
  });
});

describe("leaving", () => {
  test("ends delivery at once, and may be done twice", async () => {
    const delivery = new Delivery();
    const { member, follower } = delivery.follow({ kind: "live" });
    const other = delivery.follow({ kind: "live" });
    await delivery.publish(1);
    follower.close();
    follower.close();
    follower.wake();
    await delivery.publish(1);
    expect([member.sent, other.member.sent]).toEqual([[1], [1, 2]]);
  });

  test("leaves no work for a member that was behind", async () => {
    const delivery = new Delivery();
    await delivery.publish(5);
    const { follower } = delivery.follow(ALL);
    const searching = delivery.follow({ kind: "last", count: 3 });
    follower.close();
    searching.follower.close();
    delivery.run();
    expect(delivery.deliveries).toEqual([]);
    expect([...delivery.groups.behind()]).toEqual([]);
  });
});

describe("near and far", () => {
  test("get steps of their own, so that neither delays the other", async () => {
    const log = new MemoryEventLog(() => 0);
    Object.defineProperty(log, "recentFrom", { value: 51 });
    const delivery = new Delivery({ log, tuning: { pageEvents: 10 } });
    await delivery.publish(100);
    const [far, near] = [delivery.follow(ALL), delivery.follow(after(60))];
    expect([delivery.replays.lag("far"), delivery.replays.lag("near")]).toEqual([100, 40]);
    delivery.run("near");
    expect([far.follower.isLive, near.follower.isLive]).toEqual([false, true]);
    delivery.run("far");
    expect(far.member.events).toEqual(range(1, 50));
    delivery.run("near");
    expect(far.follower.isLive).toBe(true);
  });
});

/** A log in which these events are damaged, once it has this many. */
function damagedLog(count: number, damaged: readonly number[]): EventLog {
  const log = new MemoryEventLog(() => 0);
  const read: EventLog["read"] = (filter, after, limit) => {
    const page = MemoryEventLog.prototype.read.call(log, filter, after, limit);
    const within = damaged.filter((id) => log.head === count && id > after && id <= page.end);
    return { ...page, events: page.events.filter(({ id }) => !damaged.includes(id)), damaged: within };
  };
  return Object.assign(log, { read });
}
