import { expect, test } from "bun:test";
import type { Delivery } from "../../../src/bus/consumers/task.ts";
import { range } from "../../contract/log-driver.ts";
import { ConsumerBench } from "../../helpers/consumers.ts";

/** Takes what is available now. */
function take(bench: ConsumerBench, max = 100, name = "c"): Delivery[] {
  return bench.consumers.get(name).take(max);
}

function idsOf(deliveries: readonly Delivery[]): (number | string)[] {
  return deliveries.map(({ event, gap }) => event?.id ?? `gap ${gap?.after}-${gap?.next}`);
}

function ack(bench: ConsumerBench, deliveries: readonly Delivery[], name = "c") {
  return bench.consumers.get(name).ack(deliveries.map(({ delivery }) => delivery));
}

function nack(bench: ConsumerBench, deliveries: readonly Delivery[], delayMs?: number) {
  const names = deliveries.map(({ delivery }) => delivery);
  return bench.consumers.get("c").nack(names, "no", delayMs);
}

test("a consumer hands out each matching event once, from now on, until it is acknowledged", async () => {
  await using bench = new ConsumerBench();
  await bench.publish("a", "a");
  await bench.consumers.set("c", { pattern: ["a"], order: "none" }, undefined);
  await bench.publish("a", "b", "a");
  const taken = take(bench);
  expect(idsOf(taken)).toEqual([3, 5]);
  expect(take(bench)).toEqual([]);
  expect(ack(bench, taken)).toEqual({ done: 2, unknown: [] });
  const info = await bench.consumers.info(bench.consumers.get("c"));
  expect(info).toMatchObject({ place: 5, lag: 0, lag_is_exact: true, in_flight: 0 });
});

test("a delivery that was not acknowledged in time comes again, under another name", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["a"], retry: ["5s"] }, undefined);
  await bench.publish("a");
  const first = take(bench);
  bench.clock.advance(30_000);
  bench.consumers.get("c").expire();
  expect(take(bench)).toEqual([]);
  expect(ack(bench, first)).toEqual({ done: 0, unknown: [first[0]?.delivery ?? ""] });
  bench.clock.advance(5000);
  const [second] = take(bench);
  expect(second).toMatchObject({ attempt: 2 });
  expect(second?.delivery).not.toBe(first[0]?.delivery);
});

test("an extended delivery may be out for longer", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["a"] }, undefined);
  await bench.publish("a");
  const taken = take(bench);
  bench.clock.advance(20_000);
  expect(bench.consumers.get("c").extend([taken[0]?.delivery ?? "", "x"])).toEqual({ done: 1, unknown: ["x"] });
  bench.clock.advance(20_000);
  bench.consumers.get("c").expire();
  expect(ack(bench, taken).done).toBe(1);
});

test("an event is given up after its last attempt, and can be tried again", async () => {
  await using bench = new ConsumerBench();
  const { consumers } = bench;
  await consumers.set("c", { pattern: ["a"], max_attempts: 2, order: "none" }, undefined);
  await bench.publish("a");
  nack(bench, take(bench), 0);
  nack(bench, take(bench), 0);
  expect(take(bench)).toEqual([]);
  expect(consumers.get("c").dead.page(0, 10)).toMatchObject([{ id: 1, attempts: 2, reason: "no" }]);
  expect(await consumers.info(consumers.get("c"))).toMatchObject({ lag: 0, dead: 1, last_error: "no" });
  expect(await consumers.retryDead("c", new Set([1]))).toBe(1);
  expect(take(bench)).toMatchObject([{ attempt: 1, event: { id: 1 } }]);
});

test("no more than max_in_flight are out", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["a"], max_in_flight: 2, order: "none" }, undefined);
  await bench.publish("a", "a", "a");
  const taken = take(bench);
  expect(idsOf(taken)).toEqual([1, 2]);
  ack(bench, taken.slice(1));
  expect(idsOf(take(bench))).toEqual([3]);
});

test("by topic, an event waits for those of its topic only", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["*"] }, undefined);
  await bench.publish("a", "a", "b", "a", "b", "c");
  const first = take(bench);
  expect(idsOf(first)).toEqual([1, 3, 6]);
  nack(bench, first.slice(0, 1), 60_000);
  ack(bench, first.slice(1, 2));
  expect(idsOf(take(bench))).toEqual([5]);
  bench.clock.advance(60_000);
  const again = take(bench);
  expect(idsOf(again)).toEqual([1]);
  ack(bench, again);
  expect(idsOf(take(bench))).toEqual([2]);
});

test("by topic, many events that wait for their topic are read again in order", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["*"] }, undefined);
  for (const _ of range(1, 30)) await bench.publish(...range(1, 50).flatMap(() => ["a", "b"]));
  const seen = new Map<string, number[]>();
  let open = take(bench);
  while (open.length > 0) {
    for (const { event } of open) {
      if (event) seen.set(event.topic, [...(seen.get(event.topic) ?? []), event.id]);
    }
    ack(bench, open);
    open = take(bench);
  }
  expect(seen.get("a")).toEqual(range(0, 1499).map((index) => 2 * index + 1));
  expect(seen.get("b")).toEqual(range(0, 1499).map((index) => 2 * index + 2));
  expect(await bench.consumers.info(bench.consumers.get("c"))).toMatchObject({ place: 3000, lag: 0 });
});

test("with order all, nothing is handed out before everything earlier is settled", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["*"], order: "all" }, undefined);
  await bench.publish("a", "b");
  const first = take(bench);
  expect(idsOf(first)).toEqual([1]);
  nack(bench, first, 1000);
  expect(take(bench)).toEqual([]);
  bench.clock.advance(1000);
  ack(bench, take(bench));
  expect(idsOf(take(bench))).toEqual([2]);
});

test("what retention removed is delivered as a gap in its place", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["*"], order: "none" }, undefined);
  await bench.publish("a", "a", "a", "a", "a");
  const taken = take(bench, 1);
  await bench.log.prune({ maxHistory: 2 }, bench.clock.nowMs);
  nack(bench, taken, 0);
  await bench.consumers.seek("c", "0");
  const again = take(bench);
  expect(idsOf(again)).toEqual(["gap 0-4", 4, 5]);
  ack(bench, again);
  expect(await bench.consumers.info(bench.consumers.get("c"))).toMatchObject({ place: 5, gaps: 1 });
});

test("no gap is delivered for events that do not match, even before the first take", async () => {
  await using bench = new ConsumerBench();
  await bench.publish("b");
  await bench.consumers.set("c", { pattern: ["a"] }, undefined);
  await bench.publish("b", "b", "b");
  await bench.log.prune({ maxHistory: 1 }, bench.clock.nowMs);
  await bench.publish("a");
  expect(idsOf(take(bench))).toEqual([5]);
});

test("an event that is removed before its next attempt becomes a gap", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["*"] }, undefined);
  await bench.publish("a", "b");
  nack(bench, take(bench, 1), 0);
  await bench.log.prune({ maxHistory: 1 }, bench.clock.nowMs);
  expect(take(bench)).toMatchObject([{ attempt: 2, gap: { after: 0, next: 2 } }, { event: { id: 2 } }]);
});

test.each(["reopen", "crash"] as const)(
  "after a %s everything that is not settled comes again, in order",
  async (how) => {
    await using bench = new ConsumerBench();
    await bench.consumers.set("c", { pattern: ["*"], max_attempts: 2 }, undefined);
    await bench.publish("a", "b", "c", "a", "a", "d");
    const taken = take(bench);
    expect(idsOf(taken)).toEqual([1, 2, 3, 6]);
    nack(bench, taken.slice(0, 1), 60_000);
    ack(bench, taken.slice(1, 2));
    nack(bench, taken.slice(2, 3), 0);
    nack(bench, take(bench), 0);
    bench.clock.advance(1000);
    await bench.publish("b");
    await bench[how]();
    const info = await bench.consumers.info(bench.consumers.get("c"));
    expect(info).toMatchObject({ place: 5, retrying: 1, dead: 1 });
    const again = take(bench);
    expect(idsOf(again)).toEqual([6, 7]);
    ack(bench, again);
    bench.clock.advance(60_000);
    for (const id of [1, 4, 5]) {
      const next = take(bench);
      expect(idsOf(next)).toEqual([id]);
      ack(bench, next);
    }
    expect(await bench.consumers.info(bench.consumers.get("c"))).toMatchObject({ place: 7, lag: 0, dead: 1 });
  },
);

test("a paused consumer hands out nothing, and one that was deleted is gone", async () => {
  await using bench = new ConsumerBench();
  const { consumers } = bench;
  await consumers.set("c", { pattern: ["*"] }, undefined);
  await bench.publish("a");
  await consumers.pause("c");
  expect(take(bench)).toEqual([]);
  await consumers.resume("c");
  expect(take(bench)).toHaveLength(1);
  await consumers.delete("c");
  expect(() => consumers.get("c")).toThrow("no consumer");
  await bench.reopen();
  expect(bench.consumers.all()).toEqual([]);
});

test("a change of the settings keeps the place", async () => {
  await using bench = new ConsumerBench();
  const { consumers } = bench;
  await consumers.set("c", { pattern: ["a"] }, "all");
  await bench.publish("a", "b", "a");
  ack(bench, take(bench));
  expect(await consumers.set("c", { pattern: ["b", "a"], order: "none" }, "all")).toMatchObject({ isNew: false });
  expect(idsOf(take(bench))).toEqual([3]);
});

test("an event that failed after one that is still out comes once after a crash, with its attempts", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["*"], order: "none" }, undefined);
  await bench.publish("a", "b");
  nack(bench, take(bench).slice(1), 60_000);
  bench.clock.advance(1000);
  await bench.publish("c");
  await bench.crash();
  expect(idsOf(take(bench))).toEqual([1, 3]);
  bench.clock.advance(60_000);
  expect(take(bench)).toMatchObject([{ attempt: 2, event: { id: 2 } }]);
});

test("an event that follows a failed one of its topic is not lost by a crash while it is out", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["*"] }, undefined);
  await bench.publish("a", "a", "a", "b");
  const taken = take(bench);
  nack(bench, taken.slice(0, 1), 0);
  ack(bench, taken.slice(1));
  bench.clock.advance(1000);
  await bench.publish("c");
  ack(bench, take(bench, 1));
  expect(idsOf(take(bench, 1))).toEqual([2]);
  bench.clock.advance(1000);
  await bench.publish("c");
  await bench.crash();
  const again = take(bench);
  expect(idsOf(again)).toContain(2);
  expect(idsOf(again)).not.toContain(3);
  ack(bench, again);
  expect(idsOf(take(bench))).toContain(3);
});

test("only what has failed, or could not be tried, counts as retrying", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["a"], retry: ["5s"] }, undefined);
  await bench.publish("a", "a", "a");
  const consumer = bench.consumers.get("c");
  ack(bench, take(bench));
  expect(consumer.figures).toMatchObject({ retrying: 0, lag: 2 });
  consumer.putBack([take(bench)[0]?.delivery ?? ""], "the endpoint is down", 0);
  expect(consumer.figures).toMatchObject({ retrying: 1, inFlight: 0 });
  nack(bench, take(bench));
  expect(consumer.figures).toMatchObject({ retrying: 1, lag: 2 });
  bench.clock.advance(5000);
  ack(bench, take(bench));
  expect(consumer.figures).toMatchObject({ retrying: 0, lag: 1 });
});

test("what is retried is counted through every way in and out of it", async () => {
  await using bench = new ConsumerBench();
  await bench.consumers.set("c", { pattern: ["*"], order: "topic", max_attempts: 2, retry: ["1s"] }, undefined);
  await bench.publish("a", "a", "b", "c");
  const retrying = () => bench.consumers.get("c").figures.retrying;
  nack(bench, take(bench));
  expect(retrying()).toBe(3);
  await bench.reopen();
  expect(retrying()).toBe(3);
  bench.clock.advance(1000);
  nack(bench, take(bench));
  expect([retrying(), bench.consumers.get("c").figures.dead]).toEqual([0, 3]);
  await bench.consumers.retryDead("c", undefined);
  expect(retrying()).toBe(3);
  ack(bench, take(bench));
  expect(retrying()).toBe(1);
  nack(bench, take(bench));
  await bench.consumers.seek("c", "now");
  expect(retrying()).toBe(0);
});
