import { describe, expect, test } from "bun:test";
import { connect, type Delivery } from "../../src/client/index.ts";
import { startService } from "../helpers/service.ts";

describe("bus.consumers", () => {
  test("sets up, shows, moves and deletes consumers", async () => {
    await using service = await startService();
    const bus = connect(service.url);
    await bus.publish("a", 1);
    const made = await bus.consumers.set("c", { pattern: ["a"], since: "all", order: "none" });
    expect(made).toMatchObject({ name: "c", place: 0, lag: 1, order: "none" });
    expect(await bus.consumers.list()).toEqual([made]);
    expect(await bus.consumers.pause("c")).toMatchObject({ paused: true });
    expect(await bus.consumers.resume("c")).toMatchObject({ paused: false });
    expect(await bus.consumers.seek("c", 1)).toMatchObject({ place: 1, lag: 0 });
    await bus.consumers.delete("c");
    await expect(bus.consumers.get("c")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("bus.consume", () => {
  test("hands over each event with its exact text, until it is acknowledged", async () => {
    await using service = await startService();
    const bus = connect(service.url);
    await bus.consumers.set("c", { pattern: ["a"], order: "none" });
    for (const json of ["1.10", "12345678901234567890", '{"a":1,"event":2}']) await bus.publishRaw("a", json);
    const texts: (string | undefined)[] = [];
    for await (const delivery of bus.consume("c")) {
      texts.push(delivery.event?.rawData);
      expect(await delivery.ack()).toBe(true);
      if (texts.length === 3) break;
    }
    expect(texts).toEqual(["1.10", "12345678901234567890", '{"a":1,"event":2}']);
    expect(await bus.consumers.get("c")).toMatchObject({ place: 3, in_flight: 0 });
  });

  test("waits for the next event", async () => {
    await using service = await startService();
    const bus = connect(service.url);
    await bus.consumers.set("c", { pattern: ["a"] });
    const consumption = bus.consume("c");
    const next = consumption.next();
    await bus.publish("a", 7);
    expect((await next).value).toMatchObject({ attempt: 1, event: { data: 7 } });
    consumption.close();
  });

  test("takes no more than its credit, and more for each that is settled", async () => {
    await using service = await startService();
    const bus = connect(service.url);
    await bus.consumers.set("c", { pattern: ["a"], order: "none" });
    await bus.publishMany(Array(5).fill({ topic: "a" }));
    const consumption = bus.consume("c", { credit: 2 });
    const [one, two] = [await consumption.next(), await consumption.next()].map(({ value }) => value);
    expect(await bus.consumers.get("c")).toMatchObject({ in_flight: 2 });
    const three = consumption.next();
    expect(await Promise.all([one?.ack(), two?.nack({ delay: "1h", reason: "busy" })])).toEqual([true, true]);
    expect((await three).value).toMatchObject({ event: { id: 3 } });
    expect(await bus.consumers.get("c")).toMatchObject({ retrying: 1, last_error: "busy" });
    await bus.consumers.seek("c", "all");
    expect(await (await three).value?.ack()).toBe(false);
    bus.close();
  });

  test("gives back what it has not handed over when the loop is left", async () => {
    await using service = await startService();
    const bus = connect(service.url);
    await bus.consumers.set("c", { pattern: ["a"], order: "none" });
    await bus.publishMany(Array(3).fill({ topic: "a" }));
    for await (const delivery of bus.consume("c", { credit: 3 })) {
      await delivery.ack();
      break;
    }
    const again: Delivery[] = [];
    for await (const delivery of bus.consume("c")) {
      again.push(delivery);
      await delivery.ack();
      if (again.length === 2) break;
    }
    expect(again.map(({ event }) => event?.id)).toEqual([2, 3]);
  });

  test("delivers a gap in its place", async () => {
    await using service = await startService({ maxHistory: 1 });
    const bus = connect(service.url);
    await bus.consumers.set("c", { pattern: ["a"], since: "all" });
    await bus.publishMany(Array(3).fill({ topic: "a" }));
    await bus.prune();
    const consumption = bus.consume("c");
    const { value: gap } = await consumption.next();
    expect(gap).toMatchObject({ gap: { after: 0, next: 3 }, event: undefined });
    expect(await gap?.ack()).toBe(true);
    expect((await consumption.next()).value).toMatchObject({ event: { id: 3 } });
    consumption.close();
  });

  test("throws an error that a retry cannot fix", async () => {
    await using service = await startService();
    await expect(connect(service.url).consume("nope").next()).rejects.toMatchObject({ code: "not_found" });
    expect(() => connect(service.url).consume("c", { credit: 0 })).toThrow("credit");
  });
});
