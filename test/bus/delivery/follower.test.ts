import { describe, expect, test } from "bun:test";
import { scopeOf } from "../../../src/bus/access/scope.ts";
import type { EventLog, Page } from "../../../src/bus/ports.ts";
import { Delivery } from "../../helpers/delivery.ts";
import { range } from "../../helpers/memory-bus.ts";
import { MemoryEventLog } from "../../helpers/memory-log.ts";

const ALL = { kind: "all" } as const;
const caughtUp = (id: number) => ({ type: "caught_up", id }) as const;

describe("the last events that match", () => {
  test("are searched for in steps, and come before the end of the replay", async () => {
    const delivery = new Delivery({ tuning: { pageEvents: 2 } });
    await delivery.publish(10);
    const { member, follower } = delivery.follow({ kind: "last", count: 5 });
    expect([delivery.replays.has("far"), follower.passed]).toEqual([true, undefined]);
    delivery.run();
    expect(member.sent).toEqual([...range(6, 10), caughtUp(10)]);
  });
});

describe("a start at an id that was never given", () => {
  const from = (id: number) => ({ kind: "after", id }) as const;

  test("is reported as a gap, and continues with new events", async () => {
    const delivery = new Delivery();
    await delivery.publish(3);
    const { member, follower } = delivery.follow(from(99), { isWaiting: true });
    expect(follower.passed).toBeUndefined();
    await delivery.publish(2);
    follower.begin();
    delivery.run();
    expect(member.sent).toEqual([{ type: "gap", after: 99, next: 4 }, 4, 5, caughtUp(5)]);
  });

  test("is also a start at the next id, but not at the newest", async () => {
    const delivery = new Delivery();
    await delivery.publish(3);
    expect(delivery.follow(from(4)).member.sent).toEqual([{ type: "gap", after: 4, next: 4 }, caughtUp(3)]);
    expect(delivery.follow(from(3)).member.sent).toEqual([caughtUp(3)]);
  });

  test("reports to a reader of limited scope no id outside of it", async () => {
    const delivery = new Delivery();
    await delivery.publish(2, "seen");
    await delivery.publish(5, "hidden");
    const { member } = delivery.follow(from(99), { patterns: ["seen"], scope: scopeOf(["seen"]) });
    expect(member.sent).toEqual([{ type: "gap", after: 99, next: 3 }, caughtUp(2)]);
    await delivery.publish(1, "seen");
    expect(member.events).toEqual([8]);
  });

  test("may be overtaken by retention before it is reported", async () => {
    const delivery = new Delivery({ maxHistory: 1 });
    await delivery.publish(3);
    const { member, follower } = delivery.follow(from(99), { isWaiting: true });
    await delivery.publish(3);
    await delivery.bus.prune();
    follower.begin();
    delivery.run();
    expect(member.sent).toEqual([
      { type: "gap", after: 99, next: 4 },
      { type: "gap", after: 3, next: 6 },
      6,
      caughtUp(6),
    ]);
  });
});

describe("a subscriber of limited scope", () => {
  const scope = scopeOf(["a", "c"]);

  test("gets at the end of its replay the newest id within its scope", async () => {
    const delivery = new Delivery();
    await delivery.publish(1, "a");
    await delivery.publish(1, "c");
    await delivery.publish(5, "hidden");
    const { member, follower } = delivery.follow(ALL, { patterns: ["a"], scope });
    delivery.run();
    expect(member.sent).toEqual([1, caughtUp(2)]);
    expect(follower.passed).toBe(2);
  });

  test("waits for that while it is searched for, and loses nothing meanwhile", async () => {
    const log = new MemoryEventLog(() => 0);
    const slowly: Page[] = [];
    const readBack: EventLog["readBack"] = (filter, before, limit) => {
      const page = MemoryEventLog.prototype.readBack.call(log, filter, before, limit);
      slowly.push(page);
      return slowly.length < 4 ? { events: [], damaged: [], end: before, done: false } : page;
    };
    const delivery = new Delivery({ log: Object.assign(log, { readBack }) });
    await delivery.publish(1, "a");
    await delivery.publish(3, "hidden");
    const { member, follower } = delivery.follow({ kind: "now" }, { patterns: ["a"], scope });
    expect([member.sent, follower.isLive]).toEqual([[], false]);
    await delivery.publish(1, "a");
    delivery.run();
    expect(member.sent).toEqual([5, caughtUp(5)]);
    expect(follower.isLive).toBe(true);
  });

  test("never gets an id before the gap at the beginning, nor one before an earlier one", async () => {
    const delivery = new Delivery({ maxHistory: 1 });
    await delivery.publish(1, "a");
    const { follower } = delivery.follow({ kind: "now" }, { patterns: ["a"], scope });
    expect(follower.passed).toBe(1);
    await delivery.publish(3, "hidden");
    await delivery.bus.prune();
    expect(follower.passed).toBe(3);
  });
});
