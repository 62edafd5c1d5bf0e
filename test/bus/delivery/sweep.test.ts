import { describe, expect, test } from "bun:test";
import type { EventLog, Filter, Page } from "../../../src/bus/ports.ts";
import { Delivery } from "../../helpers/delivery.ts";
import { range } from "../../helpers/memory-bus.ts";
import { MemoryEventLog } from "../../helpers/memory-log.ts";

const after = (id: number) => ({ kind: "after", id }) as const;
const caughtUp = (id: number) => ({ type: "caught_up", id }) as const;

/** Notes the ids of the events of every page that is read. */
class NotingLog extends MemoryEventLog {
  readonly readIds: number[] = [];

  override read(filter: Filter, after: number, limit: number): Page {
    const page = super.read(filter, after, limit);
    this.readIds.push(...page.events.map(({ id }) => id));
    return page;
  }
}

function deliveryOf(log: EventLog): Delivery {
  return new Delivery({ log, tuning: { pageEvents: 10 }, maxHistory: 60 });
}

/** Three different requests for the same events. */
const SAME = [["*"], ["a"], ["[a]"]];

/** As many topics as together want every event, one of which is theirs in turn. */
const HERD = range(1, 40).map((index) => `herd.${index}`);

async function publishHerd(delivery: Delivery): Promise<void> {
  for (const _ of range(1, 10)) for (const topic of HERD) await delivery.publish(1, topic);
}

/** The ids of the events of one topic of the herd, from one id to another. */
function herdIds(index: number, from: number, to: number): number[] {
  return range(from, to).filter((id) => (id - 1) % HERD.length === index);
}

describe("groups with different requests that are behind", () => {
  test("read the events that they all want once, and each gets those after its own place", async () => {
    const log = new NotingLog(() => 0);
    const delivery = deliveryOf(log);
    await delivery.publish(100);
    const places = [3, 0, 8];
    const members = SAME.map((patterns, index) => delivery.follow(after(places[index] ?? 0), { patterns }).member);
    delivery.run();
    // The first page of each, of ten events, shows what it wants; the last one to show it joins a slice of forty later.
    expect(log.readIds.filter((id) => id > 60)).toEqual(range(61, 100));
    expect(members.map(({ sent }) => sent)).toEqual(places.map((id) => [...range(id + 1, 100), caughtUp(100)]));
  });

  test("wait for those furthest behind, and continue together", async () => {
    const log = new NotingLog(() => 0);
    const delivery = deliveryOf(log);
    await delivery.publish(300);
    const members = SAME.map((patterns, index) => delivery.follow(after(100 * index), { patterns }).member);
    delivery.run();
    expect(log.readIds.filter((id) => id > 260)).toEqual(range(261, 300));
    expect(members.map(({ events }) => events)).toEqual([0, 100, 200].map((id) => range(id + 1, 300)));
  });

  test("move though others come behind them again and again", async () => {
    const delivery = deliveryOf(new MemoryEventLog(() => 0));
    await delivery.publish(300);
    const [front] = SAME.map((patterns) => delivery.follow(after(150), { patterns }).member);
    for (const index of range(1, 60)) {
      delivery.follow(after(0), { patterns: [`{a,${index}}`] });
      delivery.replays.step("near");
    }
    expect(front?.events).not.toEqual([]);
  });

  test("find their own events without the others when each wants few", async () => {
    const log = new NotingLog(() => 0);
    const delivery = deliveryOf(log);
    await delivery.publish(300, "common");
    for (const topic of ["x", "y"]) await delivery.publish(1, topic);
    for (const topic of ["x", "y"]) delivery.follow(after(0), { patterns: [topic] });
    delivery.run();
    for (const topic of ["x", "y"]) await delivery.publish(20, topic);
    log.readIds.length = 0;
    for (const topic of ["x", "y"]) delivery.follow(after(0), { patterns: [topic] });
    delivery.run();
    expect(log.readIds.filter((id) => id <= 300)).toEqual([]);
  });

  test("read each event once when they are many, though each wants events of its own", async () => {
    const log = new NotingLog(() => 0);
    const delivery = deliveryOf(log);
    await publishHerd(delivery);
    const members = HERD.map((topic) => delivery.follow(after(0), { patterns: [topic] }).member);
    delivery.run();
    expect(log.readIds).toEqual(range(1, 400));
    expect(members.map(({ sent }) => sent)).toEqual(HERD.map((_, index) => [...herdIds(index, 1, 400), caughtUp(400)]));
  });

  test("read each event once when they are many, though together they want less than half of them", async () => {
    const log = new NotingLog(() => 0);
    const delivery = deliveryOf(log);
    await publishHerd(delivery);
    const members = HERD.slice(0, 16).map((topic) => delivery.follow(after(0), { patterns: [topic] }).member);
    delivery.run();
    expect(log.readIds).toEqual(range(1, 400));
    expect(members.map(({ events }) => events)).toEqual(range(0, 15).map((index) => herdIds(index, 1, 400)));
  });

  test("may leave, and be overtaken by commits and retention, while a slice is on its way", async () => {
    const delivery = deliveryOf(new MemoryEventLog(() => 0));
    await publishHerd(delivery);
    const followers = HERD.map((topic) => delivery.follow(after(0), { patterns: [topic] }));
    for (const _ of range(1, 3)) delivery.replays.step("near");
    expect(delivery.deliveries).toEqual([]);
    followers[0]?.follower.close();
    await publishHerd(delivery);
    await delivery.bus.prune();
    delivery.run();
    const gap = { type: "gap", after: 0, next: 741 } as const;
    expect(followers.map(({ member }) => member.sent)).toEqual([
      [],
      ...HERD.slice(1).map((_, index) => [gap, ...herdIds(index + 1, 741, 800), caughtUp(800)]),
    ]);
  });

  test("each get a gap that retention has left, and continue together after it", async () => {
    const delivery = deliveryOf(new MemoryEventLog(() => 0));
    await delivery.publish(100);
    const members = SAME.map((patterns, index) => delivery.follow(after(10 * index), { patterns }).member);
    await delivery.bus.prune();
    delivery.run();
    const gap = (id: number) => ({ type: "gap", after: id, next: 41 }) as const;
    expect(members.map(({ sent }) => sent)).toEqual(
      [0, 10, 20].map((id) => [gap(id), ...range(41, 100), caughtUp(100)]),
    );
  });

  test("learn of damage only by their own reads", async () => {
    const log = new MemoryEventLog(() => 0);
    const read = log.read.bind(log);
    // The damaged event is of topic "a", so a search for others does not meet it.
    log.read = (filter, after, limit) => {
      const page = read(filter, after, limit);
      const concerns = filter.topics?.matches("a") !== false && after < 5 && page.end >= 5;
      return { ...page, events: page.events.filter(({ id }) => id !== 5), damaged: concerns ? [5] : [] };
    };
    const delivery = deliveryOf(log);
    await delivery.publish(10);
    await delivery.publish(10, "b");
    const members = [["*"], ["b"], ["[b]"]].map((patterns) => delivery.follow(after(0), { patterns }).member);
    delivery.run();
    const gap = { type: "gap", after: 4, next: 6 } as const;
    expect(members.map(({ sent }) => sent)).toEqual([
      [...range(1, 4), gap, ...range(6, 20), caughtUp(20)],
      [...range(11, 20), caughtUp(20)],
      [...range(11, 20), caughtUp(20)],
    ]);
  });

  test("leave a member without room behind, which continues by itself", async () => {
    const delivery = new Delivery({ tuning: { pageEvents: 10, checkCharacters: 1 } });
    await delivery.publish(100);
    const slow = delivery.follow(after(0), { patterns: ["*"], room: 3 });
    const others = SAME.slice(1).map((patterns) => delivery.follow(after(0), { patterns }).member);
    delivery.run();
    expect(others.map(({ events }) => events)).toEqual([range(1, 100), range(1, 100)]);
    expect(slow.member.events).toEqual(range(1, 7));
    slow.member.room = 1000;
    slow.follower.wake();
    delivery.run();
    expect(slow.member.sent).toEqual([...range(1, 100), caughtUp(100)]);
  });

  test("pass no more events in a step than many members allow", async () => {
    const delivery = new Delivery();
    await delivery.publish(100);
    for (const index of range(1, 1000)) delivery.follow(after(0), { patterns: [`{a,${index}}`] });
    delivery.replays.step("near");
    expect(delivery.deliveries.length).toBeLessThan(10_000);
    delivery.run();
    expect(delivery.deliveries.length).toBe(100_000);
  });
});
