import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { draft, drafts, idsOf, range, readAll } from "../../contract/log-driver.ts";
import { busErrorCodeOf } from "../../helpers/bus-error.ts";
import { FaultyConnection } from "../../helpers/fault.ts";
import { type SmallDisk, testOnSmallDisk } from "../../helpers/small-disk.ts";
import { TempFolder } from "../../helpers/temp.ts";

const KEPT = 100;
const DISK_MEGABYTES = 8;
/** How many bytes a commit takes while a disk is filled: the last ones are single events. */
const GROUPS_BYTES = [100_000, 10_000, 0];

/** Opens the history and waits until it has taken its reserve, if it keeps one. */
async function open(path: string, connection = new FaultyConnection(), keepsReserve = true): Promise<SqliteEventLog> {
  const log = new SqliteEventLog(path, { durability: "os", keepsReserve }, { connect: connection.connect });
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  return log;
}

/**
 * Appends events of this many characters until there is no room for a single one; returns how many were stored. It takes
 * large groups first: one commit per event would take most of the time on a slow machine.
 */
async function fillDisk(log: SqliteEventLog, characters: number): Promise<number> {
  const before = log.head;
  const event = draft("a", "x".repeat(characters));
  for (const bytes of GROUPS_BYTES) {
    const group = Array.from({ length: Math.max(1, Math.floor(bytes / characters)) }, () => event);
    while (await isStored(log.append(group)));
  }
  return log.head - before;
}

function isStored(append: Promise<unknown>): Promise<boolean> {
  return append.then(
    () => true,
    () => false,
  );
}

describe("a disk that only the history has filled", () => {
  for (const characters of [100, 2000, 100_000]) {
    testOnSmallDisk(
      DISK_MEGABYTES,
      `recovers by keeping less, with events of ${characters} characters`,
      async (disk) => {
        const log = await open(disk.file());
        const kept = await fillDisk(log, characters);
        await recover(log, kept);
      },
    );
  }

  testOnSmallDisk(DISK_MEGABYTES, "recovers by keeping less after a restart", async (disk) => {
    const log = await open(disk.file());
    const kept = await fillDisk(log, 2000);
    await log.close().catch(() => {});
    await recover(await open(disk.file()), kept);
  });

  testOnSmallDisk(DISK_MEGABYTES, "recovers again and again", async (disk) => {
    const log = await open(disk.file());
    for (let round = 0, last = 0; round < 3; round++) {
      last = log.head + (await fillDisk(log, 2000));
      await log.prune({ maxHistory: KEPT }, 0);
      expect([log.floor, log.head]).toEqual([last - KEPT + 1, last]);
    }
    await log.close();
  });

  testOnSmallDisk(DISK_MEGABYTES, "does not recover without a reserve", async (disk) => {
    const log = await open(disk.file(), new FaultyConnection(), false);
    const kept = await fillDisk(log, 2000);
    await expect(recover(log, kept)).rejects.toMatchObject({ code: "storage_full" });
    await log.close().catch(() => {});
  });

  testOnSmallDisk(12, "recovers after commits of megabytes", async (disk) => {
    for (const most of [16, 64]) {
      const log = await open(disk.file(`${most}.db`));
      const event = draft("a", "x".repeat(100_000));
      for (let count = most; count > 0; ) {
        if (!(await isStored(log.append(Array.from({ length: count }, () => event))))) count = Math.floor(count / 2);
      }
      await recover(log, log.head);
      rmSync(disk.file(`${most}.db`));
    }
  });

  async function recover(log: SqliteEventLog, kept: number): Promise<void> {
    expect(log.head).toBe(kept);
    const least = Math.min(KEPT, Math.floor(kept / 4));
    expect(await log.prune({ maxHistory: least }, 0)).toBe(kept - least);
    await log.append(drafts(least));
    expect(log.health()).toEqual({ state: "ok" });
    expect(idsOf(readAll(log))).toEqual(range(kept - least + 1, kept + least));
    await log.close();
  }
});

describe("the reserve", () => {
  let folder: TempFolder;
  let connection: FaultyConnection;
  let log: SqliteEventLog;

  beforeEach(async () => {
    folder = new TempFolder();
    connection = new FaultyConnection();
    log = await open(folder.file(), connection);
  });

  afterEach(async () => {
    await log.close();
    folder[Symbol.dispose]();
  });

  const reserveBytes = () => statSync(`${folder.file()}-reserve`).size;

  test("is taken after the opening, and kept when the history is closed", async () => {
    await log.close();
    expect(reserveBytes()).toBe(3 * 1024 * 1024);
  });

  test("is freed for a pruning that the disk has no room for, and taken again", async () => {
    await log.append(drafts(200));
    connection.failNext("delete from event", "SQLITE_FULL");
    expect(await log.prune({ maxHistory: KEPT }, 0)).toBe(100);
    expect(reserveBytes()).toBe(3 * 1024 * 1024);
  });

  test("is taken again although the pruning fails", async () => {
    await log.append(drafts(200));
    for (const _ of range(1, 2)) connection.failNext("delete from event", "SQLITE_FULL");
    expect(await busErrorCodeOf(log.prune({ maxHistory: KEPT }, 0))).toBe("storage_full");
    expect(reserveBytes()).toBe(3 * 1024 * 1024);
  });

  test("is made whole when only a part of it is there", async () => {
    writeFileSync(`${folder.file()}-reserve`, "a part");
    await log.prune({}, 0);
    expect(reserveBytes()).toBe(3 * 1024 * 1024);
  });
});

testOnSmallDisk(2, "a disk that has no room for a reserve is used without one", async (disk: SmallDisk) => {
  const log = await open(disk.file());
  await log.append(drafts(1));
  expect(existsSync(`${disk.file()}-reserve`)).toBe(false);
  await log.close();
});
