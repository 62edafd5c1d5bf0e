import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { PatternSet } from "../../src/bus/patterns/pattern-set.ts";
import { EVERY_TOPIC } from "../../src/bus/patterns/topic-range.ts";
import type { EventLog, Filter } from "../../src/bus/ports.ts";
import { type LogInternals, SqliteEventLog } from "../../src/store/event-log.ts";
import {
  draft,
  drafts,
  idsOf,
  range,
  readAll,
  readAllBack,
  startingWith,
  topicsOf,
  walk,
} from "../contract/log-driver.ts";
import { FakeClock } from "../helpers/clock.ts";
import { FaultyConnection } from "../helpers/fault.ts";
import { TempFolder } from "../helpers/temp.ts";

let folder: TempFolder;
let damage: string[];
let log: SqliteEventLog;

beforeEach(() => {
  folder = new TempFolder();
  open();
});

afterEach(async () => {
  await log.close();
  folder[Symbol.dispose]();
});

function open(internals: LogInternals = {}): void {
  damage = [];
  const onDamage = (detail: string) => void damage.push(detail);
  const options = { durability: "os", clock: new FakeClock().read, onDamage } as const;
  log = new SqliteEventLog(folder.file(), options, { searchClock: () => 0, ...internals });
}

async function reopenEmpty(internals: LogInternals): Promise<void> {
  await log.close();
  folder[Symbol.dispose]();
  folder = new TempFolder();
  open(internals);
}

/** Changes the file behind the log's back, while it is closed. */
async function change(sql: string): Promise<void> {
  await log.close();
  const database = new Database(folder.file());
  database.run(sql);
  database.close(true);
  open();
}

/** How many pages it takes to find everything, upwards. */
function pagesOf(one: EventLog, filter: Filter): number {
  return [...walk((from) => one.read(filter, from, 100_000), 0)].length;
}

/** A clock that moves on whenever it is read. */
function jumpingClock(byMs: number): () => number {
  let nowMs = 0;
  return () => {
    nowMs += byMs;
    return nowMs;
  };
}

function expectToFind(filter: Filter, ids: readonly number[]): void {
  expect(idsOf(readAll(log, filter, 0, 100_000))).toEqual([...ids]);
  expect(idsOf(readAllBack(log, filter, Infinity, 100_000))).toEqual(ids.toReversed());
}

describe("a page", () => {
  test("ends after a megabyte of events", async () => {
    await log.append(range(1, 20).map(() => draft("a", "x".repeat(300_000))));
    const page = log.read({}, 0, 100);
    expect([page.events.length, page.end, page.done]).toEqual([4, 4, false]);
    expectToFind({}, range(1, 20));
  });

  test("has an event that is larger than that all the same", async () => {
    await log.append(range(1, 3).map(() => draft("a", "x".repeat(3_000_000))));
    expect(log.readBack({ topics: startingWith("a") }, 4, 100).events).toHaveLength(1);
    expectToFind({}, [1, 2, 3]);
  });

  test("ends after a bounded number of steps along the events", async () => {
    const wanted = range(1, 8500).map((index) => draft(`wanted.${index}`));
    await log.append([...wanted, ...drafts(8000, "other"), draft("wanted.1")]);
    const filter = { topics: startingWith("wanted") };
    expect(pagesOf(log, filter)).toBeGreaterThan(1);
    expectToFind(filter, [...range(1, 8500), 16_501]);
  });

  test("ends when its time is spent, and what follows is exact, wherever it ended", async () => {
    for (const jumpMs of [0.05, 100]) {
      await reopenEmpty({ recentEvents: 1, cachedSeries: 10, searchClock: jumpingClock(jumpMs) });
      const plan = range(1, 1500).map((id) => draft(id % 4 === 0 ? "other" : `wanted.${id % 101}`));
      await log.append(plan);
      for (const prefix of ["wanted.1", "wanted.100", "wanted", "other", "none"]) {
        const isWanted = (id: number) => plan[id - 1]?.topic.startsWith(prefix) ?? false;
        for (const topics of [startingWith(prefix), { ...startingWith(prefix), ranges: EVERY_TOPIC }]) {
          if (prefix === "wanted") expect(pagesOf(log, { topics })).toBeGreaterThan(1);
          expectToFind({ topics }, range(1, 1500).filter(isWanted));
        }
      }
    }
  });

  test("returns what it has found when the search for it has spent most of the time", async () => {
    await reopenEmpty({ recentEvents: 1, searchClock: jumpingClock(0.02) });
    await log.append(range(1, 6000).map((id) => draft(id % 10 === 0 ? `wanted.${(id / 10) % 100}` : "other")));
    const filter = { topics: startingWith("wanted") };
    const pages = [...walk((from) => log.readBack(filter, from, 50), 3000)].slice(0, 10);
    expect(pages.flatMap(({ events }) => events).length).toBeGreaterThan(100);
    expectToFind(
      filter,
      range(1, 600).map((index) => 10 * index),
    );
  });

  test("of topics ends when its time is spent, too", async () => {
    await reopenEmpty({ recentEvents: 1, searchClock: jumpingClock(100) });
    await log.append(range(1, 300).map((id) => draft(`t.${id % 20}`, id, `s${id % 30}`)));
    const first = log.topics({ limit: 100 });
    expect([first.topics.length < 20, first.done]).toEqual([true, false]);
    const counts = topicsOf(log).map(({ topic, count }) => [topic, count]);
    expect(counts).toEqual(
      range(0, 19)
        .map((id): [string, number] => [`t.${id}`, 15])
        .sort(),
    );
  });

  test("finds a topic whose events are in clusters far apart", async () => {
    await reopenEmpty({ recentEvents: 1 });
    const heaps = [...range(1, 3), ...range(41, 90), 200, ...range(390, 520), 900];
    await log.append(range(1, 1000).map((id) => draft(heaps.includes(id) ? "heap" : `other.${id % 5}`)));
    const topics = startingWith("heap");
    for (const id of range(0, 1001)) {
      expect(idsOf(log.read({ topics }, id, 2).events)).toEqual(heaps.filter((heap) => heap > id).slice(0, 2));
      expect(idsOf(log.readBack({ topics }, id, 2).events)).toEqual(
        heaps
          .filter((heap) => heap < id)
          .slice(-2)
          .reverse(),
      );
    }
    expect(damage).toEqual([]);
  });

  test("looks at few events for a rare topic among many", async () => {
    const connection = new FaultyConnection();
    await reopenEmpty({ recentEvents: 1, connect: connection.connect });
    await log.append(range(1, 10_000).map((id) => draft(id % 100 === 50 ? "rare" : `other.${id % 7}`)));
    for (const before of [10_001, 5000]) {
      connection.statements.length = 0;
      const page = log.readBack({ topics: startingWith("rare") }, before, 10);
      expect(idsOf(page.events)).toEqual(range(1, 10).map((step) => before - (before % 100) + 50 - 100 * step));
      expect(connection.statements.length).toBeLessThan(50);
    }
  });
});

describe("what a query wants of many series", () => {
  test("is found whether they are few of all, many, or too many to be remembered", async () => {
    await reopenEmpty({ cachedSeries: 100, recentEvents: 1 });
    const topics = range(0, 19_999).map((id) => `t.${id % 10}.${id}`);
    await log.append(topics.map((topic) => draft(topic)));
    await log.append(topics.slice(0, 500).map((topic) => draft(topic)));
    const all = [...topics, ...topics.slice(0, 500)];
    for (const wanted of [/^t\.3\./, /^t\..\.19/, /7$/, /^t\.[0-4]/, /^nothing/]) {
      const matcher = { matches: (topic: string) => wanted.test(topic), ranges: EVERY_TOPIC };
      const ids = all.flatMap((topic, index) => (wanted.test(topic) ? [index + 1] : []));
      expectToFind({ topics: matcher }, ids);
    }
    expect(damage).toEqual([]);
  });

  test("is found by source", async () => {
    await reopenEmpty({ cachedSeries: 3 });
    await log.append(range(1, 300).map((id) => draft(`t.${id % 50}`, id, `s${id % 30}`)));
    for (const topics of [undefined, startingWith("t.1"), startingWith("")]) {
      const isWanted = (id: number) => id % 30 === 7 && (topics?.matches(`t.${id % 50}`) ?? true);
      expectToFind({ source: "s7", ...(topics && { topics }) }, range(1, 300).filter(isWanted));
    }
  });

  test("is found in code point order of the topics, beyond the basic plane too", async () => {
    await reopenEmpty({ cachedSeries: 1 });
    const topics = ["a.\uD7FF", "a.\uD7FFx", "a.\uE000", "a.\uFFFD", "a.😀", "a.\u{10FFFF}", "a.\u{10FFFF}x", "b"];
    await log.append(topics.map((topic) => draft(topic)));
    expect(topicsOf(log, {}, 3).map(({ topic }) => topic)).toEqual(topics);
    for (const prefix of ["a.\uD7FF", "a.\u{10FFFF}", "a.", "a.😀"]) {
      const isWanted = (id: number) => topics[id - 1]?.startsWith(prefix) ?? false;
      expectToFind({ topics: startingWith(prefix) }, range(1, topics.length).filter(isWanted));
      const listed = topicsOf(log, { topics: startingWith(prefix) }, 1);
      expect(listed.map(({ topic }) => topic)).toEqual(topics.filter((topic) => topic.startsWith(prefix)));
    }
  });

  test("is counted for a topic with more series than one page can look at", async () => {
    await reopenEmpty({ cachedSeries: 10, recentEvents: 1, searchClock: jumpingClock(0.002) });
    await log.append(range(1, 6000).map((id) => draft(id % 3 === 0 ? "z" : "many", id, `s${id}`)));
    expect(log.topics({ limit: 10 }).done).toBe(false);
    expect(topicsOf(log).map(({ topic, count, last_id }) => [topic, count, last_id])).toEqual([
      ["many", 4000, 5999],
      ["z", 2000, 6000],
    ]);
  });
});

describe("topics far apart", () => {
  // The first one is in the last part of what a call can look at.
  const wanted = [15_500, 15_501, 31_000, 46_500, 46_501, 60_000];
  const topics = range(1, 60_000).map(
    (n) => `t.${String(n).padStart(5, "0")}.${wanted.includes(n) ? "wanted" : "other"}`,
  );

  test.each([
    ["in no time", () => 0],
    ["in far too little time", jumpingClock(3)],
  ])("are listed, each once, though one call cannot look at all names between them, %s", async (_, searchClock) => {
    await reopenEmpty({ searchClock });
    for (let first = 0; first < topics.length; first += 10_000) {
      await log.append(topics.slice(first, first + 10_000).map((topic) => draft(topic)));
    }
    const query = { topics: PatternSet.parse(["*.wanted"]), limit: 100 };
    const pages = [log.topics(query)];
    for (let page = pages[0]; page && !page.done; page = pages.at(-1)) {
      expect(pages.length).toBeLessThan(100);
      pages.push(log.topics({ ...query, after: page.end }));
    }
    const listed = pages.flatMap((page) => page.topics.map(({ topic }) => topic));
    expect(listed).toEqual(topics.filter((topic) => topic.endsWith(".wanted")));
  });
});

describe("a long history", () => {
  test("is found by topic across all of it, before and after it is opened again", async () => {
    const edges = [1, 65_535, 65_536, 65_537, 131_072, 131_073, 140_000];
    for (let first = 1; first <= 140_000; first += 10_000) {
      const ids = range(first, first + 9999);
      await log.append(ids.map((id) => draft(edges.includes(id) ? "edge" : "other", 0)));
    }
    const filter = { topics: startingWith("edge") };
    expectToFind(filter, edges);
    await log.prune({ maxHistory: 140_000 - 65_535 }, 0);
    expectToFind(filter, edges.slice(2));
    await change("pragma user_version");
    expectToFind(filter, edges.slice(2));
    expect(topicsOf(log).map(({ topic, count }) => [topic, count])).toEqual([
      ["edge", 5],
      ["other", 74_460],
    ]);
    expect(damage).toEqual([]);
  });
});

describe("a damaged event", () => {
  test("is omitted, named in its page, and reported once", async () => {
    await log.append(drafts(5));
    await change("update event set data = '7' where id = 3");
    expect(damage).toEqual([]);
    expect([idsOf(log.read({}, 0, 10).events), log.read({}, 0, 10).damaged]).toEqual([[1, 2, 4, 5], [3]]);
    expect(log.readBack({ topics: startingWith("a") }, 9, 10).damaged).toEqual([3]);
    expect(() => log.get(3)).toThrow("event 3 is damaged on disk and is not served");
    expect(damage).toEqual(["event 3: checksum mismatch"]);
    expect(log.health()).toEqual({ state: "damaged", detail: 'event 3: checksum mismatch: run "eventbus check"' });
  });

  test("does not prevent others from being published", async () => {
    await log.append(drafts(2));
    await change("delete from event where id = 1");
    expect(idsOf((await log.append(drafts(1))).events)).toEqual([3]);
    expect(log.read({}, 0, 10).damaged).toEqual([1]);
  });

  test("is named to a reader of the topic that it was of", async () => {
    await log.append([draft("a"), draft("b"), draft("a")]);
    await change("update event set series_id = 2 where id = 1");
    const page = log.read({ topics: startingWith("a") }, 0, 10);
    expect([idsOf(page.events), page.damaged]).toEqual([[3], [1]]);
  });

  test("is named to a reader of the time that it may be of", async () => {
    await log.append(drafts(3));
    await change("update event set created_at = created_at - 1000 where id = 1");
    expect(log.read({ fromMs: new FakeClock().nowMs }, 0, 10).damaged).toEqual([1]);
    expect(log.idBefore(new FakeClock().nowMs)).toBe(0);
  });

  test("is not returned for a repeated publish either", async () => {
    await log.append(drafts(1), { idempotencyKey: "k" });
    await change("update idempotency_key set first_id = 9");
    const error = await log.append(drafts(1), { idempotencyKey: "k" }).catch((reason) => reason);
    expect(error).toMatchObject({ code: "internal" });
    expect(log.health().state).toBe("damaged");
  });
});

describe("a series with a damaged name", () => {
  test("has events that are named to every reader", async () => {
    await log.append([draft("a"), draft("b"), draft("a")]);
    await change("update series set topic = 'x' where topic = 'a'");
    for (const prefix of ["a", "b", "x", "c"]) {
      expect(log.read({ topics: startingWith(prefix) }, 0, 10).damaged).toEqual([1, 3]);
    }
    expect(idsOf(log.read({ topics: startingWith("b") }, 0, 10).events)).toEqual([2]);
  });

  test("goes when its events do, and its true name can be published under", async () => {
    await log.append([draft("a"), draft("a")]);
    await change("update series set topic = 'x' where topic = 'a'");
    await log.append([draft("a")]);
    await log.prune({ maxHistory: 1 }, 0);
    await change("pragma user_version");
    expect(damage).toEqual([]);
    expectToFind({ topics: startingWith("a") }, [3]);
  });
});

describe("an event by its id, for a caller that may read some topics", () => {
  test("takes the same one look at the file whether it is hidden, large, pruned or was never there", async () => {
    const connection = new FaultyConnection();
    await log.close();
    open({ connect: connection.connect });
    await log.append([draft("b", 1), draft("b", 2), draft("b", "x".repeat(100_000)), draft("a", 4)]);
    await log.prune({ maxHistory: 3 }, 0);
    const statementsFor = (id: number) => {
      connection.statements.length = 0;
      expect(log.get(id, startingWith("a"))).toBeUndefined();
      return [...connection.statements];
    };
    const [hidden, ...others] = [2, 3, 1, 5, 999_999].map(statementsFor);
    expect(hidden).toHaveLength(1);
    for (const other of others) expect(other).toEqual(hidden ?? []);
    expect(log.get(4, startingWith("a"))?.data).toBe(4);
  });
});
