import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { checkFile } from "../../../src/store/check/check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { busErrorCodeOf } from "../../contract/bus-error-code.ts";
import {
  draft,
  drafts,
  idsOf,
  range,
  readAll,
  readAllBack,
  startingWith,
  topicsOf,
} from "../../contract/log-driver.ts";
import { FakeClock } from "../../helpers/clock.ts";
import { FaultyConnection } from "../../helpers/fault.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { makeOlder } from "../file/older-schema.ts";
import { holdInAnotherProcess } from "../other-process.ts";

/** Blocks of four events. */
const SEGMENT_SIZE = 64;
const SERIES = 3;

let folder: TempFolder;
let damage: string[];
let connection: FaultyConnection;
let log: SqliteEventLog;

beforeEach(() => {
  folder = new TempFolder();
  open();
});

afterEach(async () => {
  await log.close();
  folder[Symbol.dispose]();
});

function open(): void {
  damage = [];
  connection = new FaultyConnection();
  const onDamage = (detail: string) => void damage.push(detail);
  const options = { clock: new FakeClock().read, durability: "os", onDamage } as const;
  log = new SqliteEventLog(folder.file(), options, { segmentSize: SEGMENT_SIZE, connect: connection.connect });
}

/** Changes the file behind the log's back, while it is closed. */
async function change(...statements: string[]): Promise<void> {
  await log.close();
  const database = new Database(folder.file());
  for (const sql of statements) database.run(sql);
  database.close(true);
  open();
}

/** Appends the next ids, of topics in turn. */
async function append(count: number): Promise<void> {
  const first = log.head + 1;
  await log.append(range(first, first + count - 1).map((id) => draft(topicOf(id), id)));
}

function topicOf(id: number): string {
  return `topic.${id % SERIES}`;
}

function expectWhole(): void {
  for (const remainder of range(0, SERIES - 1)) {
    const topics = startingWith(`topic.${remainder}`);
    const expected = range(log.floor, log.head).filter((id) => id % SERIES === remainder);
    expect(idsOf(readAll(log, { topics }))).toEqual(expected);
    expect(idsOf(readAllBack(log, { topics }))).toEqual(expected.toReversed());
  }
}

/** The first ids of the blocks in the file. */
function blocks(): unknown[] {
  return connection.database.query("select first_id from tail order by first_id").values().flat();
}

async function turns(): Promise<void> {
  for (const _ of range(1, 30)) await new Promise((resolve) => setImmediate(resolve));
}

async function expectSound(): Promise<void> {
  await log.close();
  const { isSound } = await checkFile(folder.file(), { onDamage: (detail) => expect(detail).toBe("") });
  expect(isSound).toBe(true);
  open();
}

describe("a history that is opened", () => {
  test("knows whose its newest events are without reading them", async () => {
    await append(50);
    await change("update event set series_id = 99 where id <= 48");
    expect(damage).toEqual([]);
    expect(topicsOf(log).map(({ topic, count, last_id }) => [topic, count, last_id])).toEqual([
      ["topic.0", 16, 48],
      ["topic.1", 17, 49],
      ["topic.2", 17, 50],
    ]);
    const { events, damaged } = log.read({ topics: startingWith("topic.1") }, 0, 100);
    expect([idsOf(events), damaged]).toEqual([[49], range(1, 48).filter((id) => id % SERIES === 1)]);
  });

  test("knows it of events that were published one by one, and after a rollback", async () => {
    await append(3);
    connection.failNext("commit", "SQLITE_FULL");
    expect(await busErrorCodeOf(log.append(drafts(10, "lost")))).toBe("storage_full");
    expect(blocks()).toEqual([]);
    for (const _ of range(1, 10)) await append(1);
    expect(blocks()).toEqual([1, 5, 9]);
    await change("update event set series_id = 99 where id <= 12");
    expect(topicsOf(log).map(({ count }) => count)).toEqual([4, 5, 4]);
  });

  test("knows it when its process was killed", async () => {
    await log.close();
    await using holder = await holdInAnotherProcess(folder.file("held.db"), 4200);
    await holder.kill();
    folder.copyDatabase(folder.file("held.db"), "history.db");
    await change("update event set series_id = 99 where id <= 4096");
    expect([log.head, blocks(), damage]).toEqual([4200, [1], []]);
    expect(topicsOf(log).map(({ count }) => count)).toEqual(Array(7).fill(600));
  });

  test("forgets what was removed of a block, and the topics that went with it", async () => {
    await log.append([...drafts(2, "gone"), ...range(3, 9).map((id) => draft(topicOf(id), id))]);
    await log.prune({ maxHistory: 7 }, 0);
    await change("pragma user_version");
    expect([damage, log.floor, blocks()]).toEqual([[], 3, [1, 5]]);
    expectWhole();
    await expectSound();
  });

  test("writes full segments to the index, and drops their blocks", async () => {
    connection.failNext("insert or replace into posting", "SQLITE_FULL");
    await append(100);
    await turns();
    await change("pragma user_version");
    expect(blocks()).toEqual(range(0, 24).map((index) => index * 4 + 1));
    await append(3);
    await turns();
    expect(blocks()).toEqual(range(16, 24).map((index) => index * 4 + 1));
    expectWhole();
    await expectSound();
    expectWhole();
  });
});

describe("a block that is missing", () => {
  test("is read from its events, and written with the next ones", async () => {
    await append(20);
    await change("delete from tail where first_id in (1, 9)");
    expect(damage).toEqual([]);
    expectWhole();
    await append(1);
    await turns();
    expect(blocks()).toEqual([1, 5, 9, 13, 17]);
    await expectSound();
  });

  test("is so in a file of the second schema", async () => {
    await append(20);
    await log.close();
    makeOlder(folder.file(), 2);
    open();
    expect([damage, blocks()]).toEqual([[], []]);
    expectWhole();
    await append(5);
    await turns();
    expect(blocks()).toEqual([1, 5, 9, 13, 17, 21]);
    await expectSound();
    expectWhole();
  });

  test("leaves nothing out that is not known: events that are damaged have none", async () => {
    await append(20);
    await change("delete from tail where first_id = 9", "update event set series_id = 2 where id = 10");
    expect(damage).toEqual(["event 10: missing, or checksum mismatch", "of 20 events only 19 are known by topic"]);
    await append(1);
    await turns();
    expect(blocks()).toEqual([1, 5, 13, 17]);
    for (const remainder of range(0, SERIES - 1)) {
      expect(log.read({ topics: startingWith(`topic.${remainder}`) }, 0, 100).damaged).toEqual([10]);
    }
  });
});

describe("a block that is damaged", () => {
  const others = new Uint8Array(Uint32Array.from([1, 2, 99, 1]).buffer);
  const checksum = Bun.hash.crc32(others, Bun.hash.crc32("9,"));

  test.each([
    ["has other series", "series = x'01000000010000000100000001000000'", "checksum mismatch"],
    ["is cut off", "series = x'010000'", "checksum mismatch"],
    ["has another checksum", "checksum = checksum + 1", "checksum mismatch"],
    [
      "names a series that is missing",
      `series = x'${others.toHex()}', checksum = ${checksum}`,
      "of a series that is missing",
    ],
  ])("is told, read from its events, and written anew: it %s", async (_, set, fault) => {
    await append(20);
    await change(`update tail set ${set} where first_id = 9`);
    expect(damage).toEqual([`the block of the index that begins with event 9: ${fault}`]);
    expect(log.health().state).toBe("damaged");
    expectWhole();
    await append(1);
    await turns();
    await expectSound();
    expect([damage, log.health().state]).toEqual([[], "ok"]);
  });

  test("is told when it has moved to another id", async () => {
    await append(20);
    await change("update tail set first_id = 2 where first_id = 9");
    expect(damage).toEqual(["the block of the index that begins with event 2: checksum mismatch"]);
    expectWhole();
  });
});
