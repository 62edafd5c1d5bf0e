import { describe, expect, test } from "bun:test";
import { type ConnectionState, connect, type Gap } from "../../src/client/index.ts";
import { DEADLINE_MS } from "../helpers/deadline.ts";
import { until } from "../helpers/inbox.ts";
import { TcpProxy } from "../helpers/proxy.ts";
import { sharedService, startService } from "../helpers/service.ts";
import { problem, scriptedServer } from "./failure.ts";
import { ServerProcess } from "./server-process.ts";
import { range, take } from "./take.ts";

const service = sharedService();

const numbers = (events: readonly { data: unknown }[]) => events.map(({ data }) => data);

test("a server that dies five times while events are published: each comes once, in order", async () => {
  await using server = await ServerProcess.start();
  const [publisher, consumer] = [connect(server.url, { timeoutMs: DEADLINE_MS }), connect(server.url)];
  const count = 500;
  const subscription = consumer.subscribe("n", { since: "all" });
  let published = 0;
  const publishing = (async () => {
    for (const n of range(1, count)) {
      await publisher.publish("n", n);
      published = n;
    }
  })();
  const received = take(subscription, count);
  for (const part of range(1, 5)) {
    while (published < (part * count) / 6) await Bun.sleep(1);
    await server.kill();
    await server.start();
  }
  await publishing;
  expect(numbers(await received)).toEqual(range(1, count));
  expect((await publisher.stats()).events.last_id).toBe(count);
  consumer.close();
});

test("a server that is stopped and started again is found again", async () => {
  await using server = await ServerProcess.start();
  const bus = connect(server.url, { timeoutMs: DEADLINE_MS });
  const subscription = bus.subscribe();
  await subscription.opened;
  await server.stop();
  const publishing = bus.publish("n", 1);
  await server.start();
  await publishing;
  expect(numbers(await take(subscription, 1))).toEqual([1]);
  bus.close();
});

describe("a connection that is interrupted", () => {
  test("in the middle of an event delivers it once, and whole", async () => {
    using proxy = new TcpProxy(service.url);
    const bus = connect(service.url);
    const subscription = connect(proxy.url).subscribe("cut");
    await subscription.opened;
    proxy.cutInside("second");
    await bus.publishMany(["first", "second", "third"].map((data) => ({ topic: "cut", data })));
    expect(numbers(await take(subscription, 3))).toEqual(["first", "second", "third"]);
    expect(proxy.connections).toBe(2);
    subscription.close();
  });

  test("again and again, anywhere, loses and repeats nothing", async () => {
    using proxy = new TcpProxy(service.url);
    const bus = connect(service.url);
    const subscription = connect(proxy.url).subscribe("often");
    await subscription.opened;
    const cuts = [1, 700, 2000, 3001];
    for (const [index, bytes] of cuts.entries()) {
      const part = range(50 * index + 1, 50 * index + 50);
      proxy.cutAfter(bytes);
      await bus.publishMany(part.map((data) => ({ topic: "often", data })));
      expect(numbers(await take(subscription, 50))).toEqual(part);
    }
    expect(proxy.connections).toBe(1 + cuts.length);
    subscription.close();
  });

  test("before the first event misses nothing, though nothing but live events was asked for", async () => {
    using proxy = new TcpProxy(service.url);
    const bus = connect(service.url);
    const subscription = connect(proxy.url).subscribe("live");
    await subscription.opened;
    proxy.refuse();
    await bus.publish("live", 1);
    proxy.accept();
    await bus.publish("live", 2);
    expect(numbers(await take(subscription, 2))).toEqual([1, 2]);
    subscription.close();
  });

  test("without notice is detected by the silence", async () => {
    using proxy = new TcpProxy(service.url);
    const bus = connect(service.url);
    const states: ConnectionState[] = [];
    const subscription = connect(proxy.url, { silenceMs: 500 }).subscribe("silent", {
      onState: (state) => states.push(state),
    });
    await subscription.opened;
    proxy.stall();
    await bus.publish("silent", 1);
    const next = take(subscription, 1);
    while (states.at(-1)?.kind !== "waiting") await Bun.sleep(1);
    proxy.cut();
    proxy.resume();
    expect(numbers(await next)).toEqual([1]);
    expect(states.map(({ kind }) => kind).slice(0, 4)).toEqual(["open", "waiting", "connecting", "open"]);
    subscription.close();
  });

  test("reports each gap once", async () => {
    await using own = await startService({ maxHistory: 10 });
    using proxy = new TcpProxy(own.url);
    const bus = connect(own.url);
    const gaps: Gap[] = [];
    const subscription = connect(proxy.url).subscribe("*", { onGap: (gap) => gaps.push(gap) });
    await subscription.opened;
    await bus.publish("a", 1);
    await take(subscription, 1);
    proxy.refuse();
    await bus.publishMany(range(2, 30).map((data) => ({ topic: "a", data })));
    await own.bus.prune();
    proxy.accept();
    proxy.cutInside('"id":25');
    const first = await take(subscription, 2);
    proxy.cut();
    expect(numbers([...first, ...(await take(subscription, 8))])).toEqual(range(21, 30));
    expect(gaps).toEqual([{ after: 1, next: 21 }]);
    subscription.close();
  });

  test("in a replay reports its end once", async () => {
    using proxy = new TcpProxy(service.url);
    const bus = connect(service.url);
    await bus.publishMany(range(1, 50).map((data) => ({ topic: "replay", data })));
    const ends: number[] = [];
    proxy.cutInside('"data":30,');
    const subscription = connect(proxy.url).subscribe("replay", { since: "all", onCaughtUp: (id) => ends.push(id) });
    expect(numbers(await take(subscription, 50))).toEqual(range(1, 50));
    proxy.cut();
    await bus.publish("replay", 51);
    expect(numbers(await take(subscription, 1))).toEqual([51]);
    await bus.publish("replay", 52);
    expect(numbers(await take(subscription, 1))).toEqual([52]);
    expect(ends).toHaveLength(1);
    subscription.close();
  });
});

describe("a subscriber resumes", () => {
  const stream = (text: string) => () => new Response(text, { headers: { "Content-Type": "text/event-stream" } });
  const event = (id: number) =>
    `id: ${id}\ndata: {"id":${id},"topic":"a","data":null,"source":"","created_at":"2026-01-01T00:00:00.000Z"}\n\n`;
  const queries = ({ requests }: { requests: readonly Request[] }) => requests.map(({ url }) => new URL(url).search);

  const rows: readonly [string, string, number][] = [
    ["where the stream started", "", 3],
    ["an event", event(5), 5],
    ["a quiet stretch", ": keep-alive\nid: 9\n\n", 9],
    ["a hole", 'event: gap\ndata: {"type":"gap","after":3,"next":21}\n\n', 20],
    ["the end of the replay", 'event: caught_up\ndata: {"type":"caught_up","id":30}\n\n', 30],
    ["the last event that was whole", `${event(5)}${event(6).slice(0, -1)}`, 5],
    ["what it knows, whatever else is said", "event: news\ndata: {}\n\n", 3],
  ];
  test.each(rows)("after %s", async (_, told, id) => {
    using server = scriptedServer(
      stream(`: keep-alive\nid: 3\n\n${told}`),
      stream(`: keep-alive\nid: 40\n\n${event(41)}`),
    );
    const subscription = connect(server.url).subscribe("a", { since: "2h" });
    while ((await take(subscription, 1))[0]?.id !== 41);
    expect(queries(server)).toEqual(["?pattern=a&since=2h", `?pattern=a&last_event_id=${id}`]);
    subscription.close();
  });

  test("as first requested when the server has not yet said where the stream starts", async () => {
    using server = scriptedServer(stream(": hello\n\nid: 7"), stream(`: keep-alive\nid: 7\n\n${event(8)}`));
    const subscription = connect(server.url).subscribe("a", { last: 5 });
    await take(subscription, 1);
    expect(queries(server)).toEqual(["?pattern=a&last=5", "?pattern=a&last=5"]);
    subscription.close();
  });

  test("where it started, though what had arrived was lost with the connection", async () => {
    const urls: string[] = [];
    let breakOff = () => {};
    const answer = (text: string) => {
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode(text));
          // An error empties the queue of a stream: what has not been read is gone.
          breakOff = () => controller.error(new TypeError("terminated"));
        },
      });
      return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
    };
    const fetch = async (url: string) => {
      urls.push(new URL(url).search);
      return answer(urls.length === 1 ? ": keep-alive\nid: 7\n\n" : `: keep-alive\nid: 9\n\n${event(9)}`);
    };
    const subscription = connect("http://127.0.0.1", { fetch }).subscribe("a");
    await subscription.opened;
    breakOff();
    await take(subscription, 1);
    expect(urls).toEqual(["?pattern=a", "?pattern=a&last_event_id=7"]);
    subscription.close();
  });

  test("in a history that was replaced, and reports it as a gap", async () => {
    using server = scriptedServer(
      stream(`: keep-alive\nid: 500\n\n${event(501)}`),
      stream(`: keep-alive\nid: 10\n\n${event(11)}`),
    );
    const gaps: Gap[] = [];
    const subscription = connect(server.url).subscribe("a", { onGap: (gap) => gaps.push(gap) });
    expect((await take(subscription, 2)).map(({ id }) => id)).toEqual([501, 11]);
    expect(gaps).toEqual([{ after: 0, next: 11 }]);
    subscription.close();
  });

  test("in a history that was replaced, as the server itself reports", async () => {
    await using first = await startService();
    await using second = await startService();
    let { url } = first;
    const bus = connect(first.url, { fetch: (asked, init) => fetch(asked.replace(first.url, url), init) });
    const gaps: Gap[] = [];
    const subscription = bus.subscribe("a", { since: "all", onGap: (gap) => gaps.push(gap) });
    await bus.publishMany(range(1, 20).map((data) => ({ topic: "a", data })));
    await take(subscription, 20);
    await connect(second.url).publishMany(range(1, 3).map((data) => ({ topic: "a", data })));
    url = second.url;
    await first.stop();
    const next = take(subscription, 1);
    await until(async () => gaps.length > 0, "a gap");
    await bus.publish("a", "new");
    expect(numbers(await next)).toEqual(["new"]);
    expect(gaps).toEqual([{ after: 20, next: 4 }]);
    subscription.close();
  });

  test("no earlier than the server asks", async () => {
    const delays: number[] = [];
    using server = scriptedServer(
      () => problem(503, "too_many_connections", { "Retry-After": "1" }),
      stream(": keep-alive\nid: 7\n\nevent: bye\nretry: 1000\ndata: {}\n\n"),
      stream(`: keep-alive\nid: 7\n\n${event(8)}`),
    );
    const subscription = connect(server.url).subscribe("a", {
      onState: (state) => state.kind === "waiting" && delays.push(state.delayMs),
    });
    await take(subscription, 1);
    expect(delays).toHaveLength(2);
    for (const delayMs of delays) expect(delayMs).toBeGreaterThanOrEqual(1000);
    subscription.close();
  });

  test("never, when what it is sent is not an event", async () => {
    using server = scriptedServer(stream(": keep-alive\nid: 7\n\ndata: {}\n\n"));
    const states: ConnectionState[] = [];
    const subscription = connect(server.url).subscribe("a", { onState: (state) => states.push(state) });
    await expect(subscription.next()).rejects.toMatchObject({ code: "protocol" });
    expect(states.at(-1)).toMatchObject({ kind: "ended", error: { code: "protocol" } });
  });
});
