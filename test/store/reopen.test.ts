import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { formatTime } from "../../src/bus/event.ts";
import { type LogInternals, SqliteEventLog } from "../../src/store/event-log.ts";
import { draft, drafts, idsOf, range, rawDraft, readAll, startingWith, topicsOf } from "../contract/log-driver.ts";
import { FakeClock } from "../helpers/clock.ts";
import { FaultyConnection } from "../helpers/fault.ts";
import { TempFolder } from "../helpers/temp.ts";

let folder: TempFolder;
let clock: FakeClock;
let log: SqliteEventLog;

beforeEach(() => {
  folder = new TempFolder();
  clock = new FakeClock();
  log = open();
});

afterEach(async () => {
  await log.close();
  folder[Symbol.dispose]();
});

function open(internals: LogInternals = {}): SqliteEventLog {
  return new SqliteEventLog(folder.file(), { clock: clock.read }, { searchClock: () => 0, ...internals });
}

async function reopen(): Promise<void> {
  await log.close();
  log = open();
}

describe("a history that is opened again", () => {
  test("has every event as it was", async () => {
    const { events } = await log.append([draft("a", { n: 1 }, "s"), draft("b.c", [1, 2]), draft("a")]);
    await reopen();
    expect(readAll(log).map(({ json }) => json)).toEqual(events.map(({ json }) => json));
    expect([log.floor, log.head]).toEqual([1, 3]);
  });

  test("continues with the next id, even when every event is gone", async () => {
    await log.append(drafts(7));
    await log.prune({ maxHistory: 0 }, clock.nowMs);
    await reopen();
    expect([log.floor, log.head]).toEqual([8, 7]);
    expect(idsOf((await log.append(drafts(2))).events)).toEqual([8, 9]);
  });

  test("never lets the time go down, even when every event is gone", async () => {
    await log.append(drafts(1));
    const atMs = clock.nowMs;
    await log.prune({ maxHistory: 0 }, clock.nowMs);
    clock.advance(-3_600_000);
    await reopen();
    const { events } = await log.append(drafts(1));
    expect(events[0]?.created_at).toBe(formatTime(atMs));
  });

  test("reads no events to open, after it was closed properly", async () => {
    await log.append(range(1, 500).map((id) => draft(`t.${id % 7}`)));
    await log.prune({ maxHistory: 400 }, clock.nowMs);
    await log.close();
    const connection = new FaultyConnection();
    log = open({ connect: connection.connect });
    expect(connection.statements.filter((sql) => sql.includes("from event "))).toEqual([]);
    expect(topicsOf(log).map(({ count, last_id }) => [count, last_id])).toHaveLength(7);
    expect((await log.append([draft("t.3")])).events[0]?.id).toBe(501);
    expect(idsOf(readAll(log, { topics: startingWith("t.3") })).slice(-2)).toEqual([500, 501]);
  });

  test("remembers its idempotency keys", async () => {
    const first = await log.append(drafts(3), { idempotencyKey: "k" });
    await reopen();
    const repeat = await log.append(drafts(3), { idempotencyKey: "k" });
    expect([repeat.replayed, idsOf(repeat.events)]).toEqual([true, idsOf(first.events)]);
  });

  test("finds events by topic that came before and after", async () => {
    await log.append([draft("a"), draft("b")]);
    await reopen();
    await log.append([draft("b"), draft("a")]);
    await reopen();
    expect(idsOf(readAll(log, { topics: startingWith("a") }))).toEqual([1, 4]);
    expect(topicsOf(log).map(({ topic, count, last_id }) => [topic, count, last_id])).toEqual([
      ["a", 2, 4],
      ["b", 2, 3],
    ]);
  });

  test("is left as it was by a session that only read", async () => {
    await log.append(drafts(3));
    await reopen();
    const before = folder.fingerprint();
    readAll(log);
    await log.close();
    expect(folder.fingerprint()["history.db"]).toBe(before["history.db"] ?? "");
  });

  test("never reuses an id after its newest event was lost", async () => {
    await log.append(drafts(5));
    await log.close();
    const database = new Database(folder.file());
    database.run("delete from event where id >= 4");
    database.close(true);
    log = open();
    expect(log.health()).toMatchObject({ state: "damaged" });
    expect(idsOf((await log.append(drafts(1))).events)).toEqual([6]);
    expect(log.read({}, 0, 10).damaged).toEqual([4, 5]);
  });
});

describe("data", () => {
  const texts = [
    ["a number beyond a double", "12345678901234567890"],
    ["a number with a zero at its end", "1.10"],
    ["a number that is infinite to JavaScript", "1e400"],
    ["keys in their order, and twice", '{"b":1,"a":2,"b":3}'],
    ["escapes", '"\\u0000\\u00e9\\/\\ud800"'],
    ["text beyond the basic plane", '"😀 é \u2028 \uFFFD"'],
    ["spaces between tokens", '{ "a" : [ 1 ,  2 ] }'],
    ["half a million characters", `"${"é".repeat(500_000)}"`],
  ] as const;

  for (const [what, text] of texts) {
    test(`with ${what} comes back to the letter`, async () => {
      await log.append([rawDraft("a", text)]);
      await reopen();
      expect(String(log.get(1)?.rawData)).toBe(text);
      expect(log.read({}, 0, 1).events[0]?.json).toContain(`"data":${text},`);
    });
  }

  test("comes from sources and topics of every kind", async () => {
    const names = ["", "\0", 'a "b" \\', "é😀", "x".repeat(255), "\u007f\n"];
    await log.append(names.map((source, index) => draft(`t${index}.é.😀`, null, source)));
    await reopen();
    expect(readAll(log).map(({ source }) => source)).toEqual(names);
    expect(log.health().state).toBe("ok");
  });
});

describe("the views", () => {
  test("show people the events and topics in any SQLite program", async () => {
    await log.append([draft("a", { n: 1 }, "shop"), draft("b"), draft("a")]);
    await log.close();
    using database = new Database(folder.file(), { readonly: true });
    expect(database.query("select * from events limit 1").get()).toEqual({
      id: 1,
      topic: "a",
      data: '{"n":1}',
      source: "shop",
      created_at: "2026-11-23T14:30:00.000Z",
    });
    expect(database.query("select topic, count, last_id, last_at from topics order by topic").values()).toEqual([
      ["a", 2, 3, "2026-11-23T14:30:00.000Z"],
      ["b", 1, 2, "2026-11-23T14:30:00.000Z"],
    ]);
  });

  test("show times as the events have them, to the millisecond", async () => {
    for (const _ of range(1, 200)) {
      clock.advance(7_777_777);
      await log.append(drafts(1));
    }
    const times = readAll(log).map(({ created_at }) => created_at);
    await log.close();
    using database = new Database(folder.file(), { readonly: true });
    expect(database.query("select created_at from events order by id").values().flat()).toEqual(times);
  });
});
