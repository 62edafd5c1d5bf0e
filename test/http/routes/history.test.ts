import { beforeAll, describe, expect, test } from "bun:test";
import type { EventMessage } from "../../../src/protocol/event.ts";
import { expectOk, expectProblem, history, publish, publishMany, requestText } from "../../helpers/http.ts";
import { sharedService, startService } from "../../helpers/service.ts";

const TOPICS = ["orders.created", "orders.paid", "users.created"];

const service = sharedService();
/** 30 of them, oldest first: three topics and two sources in turn, so that every filter finds some. */
const events: EventMessage[] = [];

beforeAll(async () => {
  for (let index = 0; index < 30; index++) {
    const source = index % 2 === 0 ? "even" : "odd";
    events.push(await publish(service.url, TOPICS[index % 3] ?? "", { index }, source));
    // Times that differ, so that from and to divide the events.
    if (index % 10 === 9) await nextMillisecond();
  }
});

async function nextMillisecond(): Promise<void> {
  for (const nowMs = Date.now(); Date.now() === nowMs; ) await Bun.sleep(1);
}

/** The same question answered by looking at every event. */
function expected(matches: (event: EventMessage) => boolean): EventMessage[] {
  return events.filter(matches).toReversed();
}

/** The ids of all pages from this query on, page by page. */
async function walk(url: string, query: string): Promise<number[][]> {
  const pages: number[][] = [];
  let next: string | undefined = `history?${query}`;
  while (next !== undefined) {
    const response: Response = await fetch(`${url}/api/events/${next}`);
    const link = response.headers.get("link");
    pages.push((await expectOk<EventMessage[]>(response)).map(({ id }) => id));
    next = link === null ? undefined : /^<(history\?[^>]+)>; rel="next"$/.exec(link)?.[1];
  }
  return pages;
}

describe("history", () => {
  test("returns an empty array if there is nothing", async () => {
    await using empty = await startService();
    const response = await fetch(`${empty.url}/api/events/history`);
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(response.headers.has("link")).toBe(false);
    expect(await response.text()).toBe("[]");
  });

  test("answers with an empty array when nothing matches", async () => {
    expect(await history(service.url, "topic=nobody.*")).toEqual([]);
  });

  test("returns the newest 50, newest first, by default", async () => {
    await using one = await startService();
    await publishMany(one.url, Array(60).fill({ topic: "a" }));
    expect((await history(one.url)).map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, index) => 60 - index));
  });

  test("returns everything if there is less than requested", async () => {
    expect(await history(service.url, "last=10000")).toEqual(events.toReversed());
  });
});

const filters: readonly (readonly [query: string, matches: (event: EventMessage) => boolean])[] = [
  ["topic=*", () => true],
  ["topic=orders.paid", ({ topic }) => topic === "orders.paid"],
  ["topic=orders.*", ({ topic }) => topic.startsWith("orders.")],
  ["topic=*.created", ({ topic }) => topic.endsWith(".created")],
  ["topic={users,orders}.created", ({ topic }) => topic.endsWith(".created")],
  ["topic=orders.paid&topic=users.*", ({ topic }) => topic !== "orders.created"],
  ["topic=orders.*&topic=*.created", () => true],
  ["pattern=orders.paid", ({ topic }) => topic === "orders.paid"],
  ["pattern=orders.paid&topic=users.*", ({ topic }) => topic !== "orders.created"],
  ["source=odd", ({ source }) => source === "odd"],
  ["source=", ({ source }) => source === ""],
  ["source=od", () => false],
  ["before=10", ({ id }) => id < 10],
  ["before=0", () => false],
  ["before=9007199254740991", () => true],
  ["topic=orders.*&source=even&before=20", ({ id, topic, source }) => topic < "p" && source === "even" && id < 20],
];

describe("history filtered by", () => {
  for (const [query, matches] of filters) {
    test(query, async () => {
      expect(await history(service.url, query)).toEqual(expected(matches));
    });

    test(`${query}, before the limit is applied`, async () => {
      expect(await history(service.url, `${query}&last=3`)).toEqual(expected(matches).slice(0, 3));
    });
  }

  test("a time includes the events of that very millisecond", async () => {
    const [from, to] = [events[10]?.created_at ?? "", events[19]?.created_at ?? ""];
    const within = expected(({ created_at }) => created_at >= from && created_at <= to);
    expect(within.length).toBeGreaterThanOrEqual(10);
    expect(await history(service.url, `from=${from}&to=${to}`)).toEqual(within);
  });

  test("from alone, and to alone", async () => {
    const time = events[10]?.created_at ?? "";
    const later = expected(({ created_at }) => created_at >= time);
    expect(await history(service.url, `from=${time}`)).toEqual(later);
    const earlier = expected(({ created_at }) => created_at <= time);
    expect(await history(service.url, `to=${time}`)).toEqual(earlier);
  });

  test("times in another zone, with a plus sign encoded or not", async () => {
    const time = new Date(Date.parse(events[10]?.created_at ?? "") + 7_200_000).toISOString().slice(0, -1);
    const later = expected(({ created_at }) => created_at >= (events[10]?.created_at ?? ""));
    expect(await history(service.url, `from=${time}%2B02:00`)).toEqual(later);
    expect(await history(service.url, `from=${time}+02:00`)).toEqual(later);
  });

  test("a time after which nothing was published", async () => {
    expect(await history(service.url, "from=2999-01-01T00:00:00Z")).toEqual([]);
    const reversed = await fetch(`${service.url}/api/events/history?from=2999-01-01T00:00:00Z&to=2000-01-01T00:00:00Z`);
    expect(await expectProblem(reversed, "parameter_invalid")).toMatchObject({ parameter: "from" });
  });

  test("durations ago", async () => {
    expect(await history(service.url, "from=1h")).toEqual(events.toReversed());
    expect(await history(service.url, "to=1h")).toEqual([]);
    expect(await history(service.url, "from=1h&to=0s&last=1")).toEqual(events.slice(-1));
  });

  test("after, which reverses the order", async () => {
    expect(await history(service.url, "after=0")).toEqual(events);
    expect(await history(service.url, "after=20&last=5")).toEqual(events.slice(20, 25));
    expect(await history(service.url, "after=20&before=24")).toEqual(events.slice(20, 23));
    expect(await history(service.url, "after=30")).toEqual([]);
  });
});

describe("paging by Link", () => {
  test("keeps the time that a duration meant on the first page", async () => {
    const answer = await fetch(`${service.url}/api/events/history?from=1h&last=1`);
    const link = answer.headers.get("link") ?? "";
    expect(new URLSearchParams(link.slice(link.indexOf("?"))).get("from")).toMatch(/^\d{4}-.*Z$/);
  });

  const walks = [
    ["last=7", 5],
    ["last=10", 3],
    ["last=30", 1],
    ["last=4&after=0", 8],
    ["last=3&topic=orders.*&source=even", 4],
    ["last=3&topic=orders.paid&topic=users.*&after=5", 6],
    ["last=1&from=2000-01-01T00:00:00Z&before=5", 4],
  ] as const;
  for (const [query, count] of walks) {
    test(`finds every event of ${query} once, in ${count} pages`, async () => {
      const pages = await walk(service.url, query);
      const whole = (await history(service.url, query.replace(/last=\d+/, "last=10000"))).map(({ id }) => id);
      expect(pages.flat()).toEqual(whole);
      expect(pages).toHaveLength(count);
    });
  }

  test("is not disturbed by what is published meanwhile", async () => {
    await using one = await startService();
    await publishMany(one.url, Array(20).fill({ topic: "a" }));
    const first = await fetch(`${one.url}/api/events/history?last=10`);
    const next = /<([^>]+)>/.exec(first.headers.get("link") ?? "")?.[1];
    await publishMany(one.url, Array(20).fill({ topic: "a" }));
    const second = await expectOk<EventMessage[]>(await fetch(new URL(next ?? "", first.url)));
    expect(second.map(({ id }) => id)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  test("keeps a pattern that no header may contain unchanged", async () => {
    await using one = await startService();
    await publishMany(one.url, Array(3).fill({ topic: 'a">b' }));
    const pages = await walk(one.url, `last=1&topic=${encodeURIComponent('[a]">\\b')}`);
    expect(pages).toEqual([[3], [2], [1]]);
  });
});

describe("history as NDJSON", () => {
  const accept = { headers: { Accept: "application/x-ndjson" } };

  test("is the same events, a line each", async () => {
    const response = await fetch(`${service.url}/api/events/history`, accept);
    expect(response.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    const lines = events.toReversed().map((event) => `${JSON.stringify(event)}\n`);
    expect(await response.text()).toBe(lines.join(""));
  });

  test("is empty when nothing matches", async () => {
    expect(await (await fetch(`${service.url}/api/events/history?topic=none`, accept)).text()).toBe("");
  });

  test("keeps to the limit over several pages of the store", async () => {
    await using one = await startService();
    await publishMany(one.url, Array(3000).fill({ topic: "a" }));
    const text = await (await fetch(`${one.url}/api/events/history?last=2345&after=100`, accept)).text();
    const ids = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    expect(ids).toEqual(Array.from({ length: 2345 }, (_, index) => 101 + index));
  });

  test("still reports a problem as JSON", async () => {
    await expectProblem(await fetch(`${service.url}/api/events/history?last=0`, accept), "parameter_invalid");
  });
});

describe("history after an event that is followed by a gap", () => {
  const accept = { headers: { Accept: "application/x-ndjson" } };

  /** The oldest event kept is 8, the newest 12. */
  async function pruned() {
    const one = await startService({ maxHistory: 5 });
    await publishMany(one.url, Array(12).fill({ topic: "a" }));
    await one.bus.prune();
    return one;
  }

  test.each(["after=1", "after=6", "after=6&topic=none", "after=3&before=5&last=1"])(
    "is refused: %s",
    async (query) => {
      await using one = await pruned();
      const address = `${one.url}/api/events/history?${query}`;
      for (const init of [{}, accept]) {
        const problem = await expectProblem(await fetch(address, init), "cursor_expired");
        expect(problem.oldest).toBe(8);
      }
    },
  );

  test.each([
    ["after=0", [8, 9, 10, 11, 12]],
    ["after=0&last=2", [8, 9]],
    ["after=7", [8, 9, 10, 11, 12]],
    ["after=8&last=1", [9]],
    ["after=12", []],
    ["before=3", []],
  ])("is answered where there is none: %s", async (query, ids) => {
    await using one = await pruned();
    expect((await history(one.url, query)).map(({ id }) => id)).toEqual(ids);
  });

  test.each([
    ["after=13", "restored from an older backup: start again with after=0"],
    ["after=99&before=3&topic=none", "restored from an older backup"],
    ["after=1796022000", "if it is a time, write from=2026-11-30T07:00:00Z"],
  ])("is refused for an id that was never assigned: %s", async (query, words) => {
    await using one = await pruned();
    const address = `${one.url}/api/events/history?${query}`;
    for (const init of [{}, accept]) {
      const problem = await expectProblem(await fetch(address, init), "parameter_invalid");
      expect(problem).toMatchObject({ parameter: "after", detail: expect.stringContaining(words) });
    }
  });

  test("is rejected when all is pruned, except after the newest", async () => {
    await using one = await startService({ maxAge: 1 });
    await publishMany(one.url, Array(3).fill({ topic: "a" }));
    await nextMillisecond();
    await nextMillisecond();
    await one.bus.prune();
    const address = `${one.url}/api/events/history`;
    expect((await expectProblem(await fetch(`${address}?after=2`), "cursor_expired")).oldest).toBe(4);
    expect(await history(one.url, "after=3")).toEqual([]);
  });

  test("breaks off when retention overtakes it while it is read", async () => {
    await using one = await startService({ maxHistory: 1 });
    // More than the kernel holds for a reader that pauses.
    const data = "x".repeat(20_000);
    for (let index = 0; index < 12; index++) await publishMany(one.url, Array(100).fill({ topic: "a", data }));
    let [text, isBegun] = ["", false];
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    const reader = await Bun.connect({
      hostname: "127.0.0.1",
      port: one.port,
      socket: {
        data: (socket, bytes) => {
          text += bytes.toString("latin1");
          if (isBegun || !text.includes('"id":2,')) return;
          isBegun = true;
          socket.pause();
          begin();
        },
        close: () => close(),
      },
    });
    reader.write(requestText("GET /api/events/history?after=1&last=10000", ["Accept: application/x-ndjson"]));
    await begun;
    expect(await one.bus.prune()).toBe(1199);
    reader.resume();
    await closed;
    expect(text).toContain('"id":2,');
    expect(text).not.toContain('"id":1200,');
    expect(text).not.toEndWith("\r\n0\r\n\r\n");
  });
});

describe("history too large to be held in memory", () => {
  const data = "x".repeat(1_000_000);

  test("arrives completely, with its Link", async () => {
    await using one = await startService();
    for (let index = 0; index < 12; index++) await publish(one.url, "large", data);
    const response = await fetch(`${one.url}/api/events/history?last=11`);
    expect(response.headers.get("link")).toBe('<history?last=11&before=2>; rel="next"');
    const large = await expectOk<EventMessage[]>(response);
    expect(large.map(({ id }) => id)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    expect(large.every((event) => event.data === data)).toBe(true);
  });

  test("comes oldest first when after is given", async () => {
    await using one = await startService();
    for (let index = 0; index < 12; index++) await publish(one.url, "large", data);
    expect((await history(one.url, "after=1")).map(({ id }) => id)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });
});

describe("GET /api/events/{id}", () => {
  test("returns the event exactly as its publisher received it", async () => {
    const event = events[4];
    const response = await fetch(`${service.url}/api/events/5`);
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await expectOk<EventMessage>(response)).toEqual(event as EventMessage);
  });

  for (const id of ["31", "0", "-1", "1.5", "abc", "9007199254740992", "99999999999999999999", "%00", "1%2F2"]) {
    test(`does not find ${id}`, async () => {
      await expectProblem(await fetch(`${service.url}/api/events/${id}`), "not_found");
    });
  }

  test("names the oldest event when an older one is requested", async () => {
    await using small = await startService({ maxHistory: 2 });
    await publishMany(small.url, Array(5).fill({ topic: "a" }));
    await small.bus.prune();
    const problem = await expectProblem(await fetch(`${small.url}/api/events/3`), "cursor_expired");
    expect(problem.oldest).toBe(4);
    expect((await fetch(`${small.url}/api/events/4`)).status).toBe(200);
  });

  test("names the next id as the oldest when all were pruned", async () => {
    await using aged = await startService({ maxAge: 1 });
    await publish(aged.url, "a");
    await nextMillisecond();
    await nextMillisecond();
    await aged.bus.prune();
    const problem = await expectProblem(await fetch(`${aged.url}/api/events/1`), "cursor_expired");
    expect(problem.oldest).toBe(2);
  });
});
