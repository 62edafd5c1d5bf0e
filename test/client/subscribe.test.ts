import { describe, expect, test } from "bun:test";
import { connect, type Gap, type SubscribeOptions } from "../../src/client/index.ts";
import { sharedService, startService } from "../helpers/service.ts";
import { failureOf, problem, scriptedServer } from "./failure.ts";
import { range, take } from "./take.ts";

const service = sharedService();

const ids = (events: readonly { id: number }[]) => events.map(({ id }) => id);

describe("a subscription", () => {
  test("gets what is published once it is open", async () => {
    const bus = connect(service.url);
    await bus.publish("before");
    const subscription = bus.subscribe("orders.*");
    await subscription.opened;
    const published = await bus.publish("orders.created", { total: 1.1 }, { source: "shop" });
    expect(await subscription.next()).toEqual({ done: false, value: published });
    bus.close();
  });

  test("gets what one of its patterns matches, once", async () => {
    const bus = connect(service.url);
    const subscription = bus.subscribe(["a.*", "*.b"]);
    await subscription.opened;
    const { last_id } = await bus.publishMany([{ topic: "a.b" }, { topic: "c" }, { topic: "x.b" }]);
    expect(ids(await take(subscription, 2))).toEqual([last_id - 2, last_id]);
    expect(subscription.lastId).toBe(last_id);
    bus.close();
  });

  test("keeps the data verbatim", async () => {
    const bus = connect(service.url);
    const subscription = bus.subscribe();
    await subscription.opened;
    const rawData = '{"n":12345678901234567890,"x":1.10,"t":"\\u2028é\\n"}';
    await bus.publishRaw("a", rawData);
    const [event] = await take(subscription, 1);
    expect(event?.rawData).toBe(rawData);
    bus.close();
  });

  test("resolves calls of next in order", async () => {
    const bus = connect(service.url);
    const subscription = bus.subscribe();
    const calls = [subscription.next(), subscription.next(), subscription.next()];
    await subscription.opened;
    await bus.publishMany([{ topic: "a" }, { topic: "b" }]);
    const [first, second] = await Promise.all(calls.slice(0, 2));
    expect([first?.value?.topic, second?.value?.topic]).toEqual(["a", "b"]);
    subscription.close();
    expect(await calls[2]).toEqual({ done: true, value: undefined });
  });
});

describe("a replay", () => {
  const rows: readonly [string, SubscribeOptions, number[]][] = [
    ["of everything", { since: "all" }, [1, 2, 3, 4]],
    ["after an id", { since: 2 }, [3, 4]],
    ["after an id as text", { since: "3" }, [4]],
    ["since a time", { since: new Date(0) }, [1, 2, 3, 4]],
    ["since a time as text", { since: "2020-01-01T00:00:00Z" }, [1, 2, 3, 4]],
    ["of the last minutes", { since: "10m" }, [1, 2, 3, 4]],
    ["of the newest", { last: 1 }, [4]],
    ["of nothing", { since: "now" }, []],
  ];
  test.each(rows)("%s, then live", async (_, options, expected) => {
    await using own = await startService();
    const bus = connect(own.url);
    await bus.publishMany([{ topic: "a" }, { topic: "b" }, { topic: "a" }, { topic: "b" }]);
    const caughtUp: number[] = [];
    const subscription = bus.subscribe("*", { ...options, onCaughtUp: (id) => caughtUp.push(id) });
    await subscription.opened;
    const replayed = await take(subscription, expected.length);
    await bus.publish("a");
    const [live] = await take(subscription, 1);
    expect([...ids(replayed), live?.id]).toEqual([...expected, 5]);
    expect(caughtUp.length).toBeLessThanOrEqual(1);
    if (options.since !== "now") expect(caughtUp).toHaveLength(1);
    bus.close();
  });

  test("reports a gap that retention left, in its place", async () => {
    await using own = await startService({ maxHistory: 10 });
    const bus = connect(own.url);
    await bus.publishMany(range(1, 30).map((n) => ({ topic: "a", data: n })));
    await own.bus.prune();
    const told: (Gap | number)[] = [];
    const subscription = bus.subscribe("*", { since: 5, onGap: (gap) => told.push(gap) });
    for (const event of await take(subscription, 10)) told.push(event.id);
    expect(told).toEqual([{ after: 5, next: 21 }, ...range(21, 30)]);
    bus.close();
  });
});

describe("a subscription ends", () => {
  /** Resolves when the server has no subscribers left. */
  const left = async () => {
    const bus = connect(service.url);
    for (;;) {
      const { live, replay } = (await bus.stats()).subscribers.stream;
      if (live + replay === 0) return;
    }
  };

  test("when its loop is left", async () => {
    const bus = connect(service.url);
    await bus.publish("a");
    for await (const event of bus.subscribe("*", { last: 1 })) {
      expect(event.topic).toBe("a");
      break;
    }
    await left();
  });

  test("when its loop throws", async () => {
    const bus = connect(service.url);
    await bus.publish("a");
    const loop = async () => {
      for await (const event of bus.subscribe("*", { last: 1 })) throw new Error(event.topic);
    };
    expect(loop()).rejects.toThrow("a");
    await left();
  });

  test("when its signal is aborted, without an error", async () => {
    const controller = new AbortController();
    const subscription = connect(service.url).subscribe("*", { signal: controller.signal });
    await subscription.opened;
    const next = subscription.next();
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    await left();
  });

  test("at once when its signal was already aborted", async () => {
    const subscription = connect(service.url).subscribe("*", { signal: AbortSignal.abort() });
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
    await left();
  });

  test("when it is closed, even without being read", async () => {
    const subscription = connect(service.url).subscribe();
    await subscription.opened;
    subscription.close();
    subscription.close();
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
    await left();
  });

  test("when it is closed while it connects", async () => {
    const subscription = connect(service.url).subscribe();
    subscription.close();
    expect((await failureOf(subscription.opened)).code).toBe("closed");
    await left();
  });

  test("with events that were received but not taken yet", async () => {
    const bus = connect(service.url);
    await bus.publishMany([{ topic: "a" }, { topic: "b" }]);
    const subscription = bus.subscribe("*", { last: 2 });
    await take(subscription, 1);
    subscription.close();
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
    await left();
  });

  test("with a typed error when the server rejects it", async () => {
    const subscription = connect(service.url).subscribe("[a");
    expect(await failureOf(subscription.next())).toMatchObject({ code: "pattern_invalid", status: 400 });
    expect(await failureOf(subscription.opened)).toMatchObject({ code: "pattern_invalid" });
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
  });

  test("with a typed error when since and last are both given, or a time is invalid", async () => {
    const bus = connect(service.url);
    expect((await failureOf(bus.subscribe("*", { since: 1, last: 1 }).next())).code).toBe("parameter_invalid");
    const never = new Date(Number.NaN);
    expect((await failureOf(bus.subscribe("*", { since: never }).next())).code).toBe("parameter_invalid");
  });

  test("with a typed error when the token is invalid", async () => {
    using server = scriptedServer(() => problem(401, "token_invalid"));
    const failure = await failureOf(connect(server.url, { token: "ebt_old" }).subscribe().next());
    expect(failure).toMatchObject({ code: "token_invalid", status: 401 });
    expect(server.requests).toHaveLength(1);
  });

  test("with a typed error when something else answers", async () => {
    using server = scriptedServer(() => new Response("<h1>Welcome</h1>", { headers: { "Content-Type": "text/html" } }));
    expect((await failureOf(connect(server.url).subscribe().next())).code).toBe("protocol");
  });
});

test("a subscriber that does not read is served from history, and delays no other", async () => {
  const bus = connect(service.url);
  const [slow, quick] = [bus.subscribe("flood"), bus.subscribe("flood")];
  await Promise.all([slow.opened, quick.opened]);
  const first = service.bus.head + 1;
  const batch = range(1, 1000).map((n) => ({ topic: "flood", data: { n, filler: "x".repeat(1000) } }));
  let last = first - 1;
  // A megabyte at a time, until the network's buffers for the slow one are full.
  for (let behind = 0; behind === 0; behind = (await bus.stats()).subscribers.stream.replay) {
    ({ last_id: last } = await bus.publishMany(batch));
    await take(quick, batch.length);
    expect(last - first).toBeLessThan(60_000);
  }
  expect(quick.lastId).toBe(last);
  expect(ids(await take(slow, last - first + 1))).toEqual(range(first, last));
  bus.close();
});
