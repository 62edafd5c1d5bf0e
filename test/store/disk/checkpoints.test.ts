import { afterEach, beforeEach, expect, test } from "bun:test";
import { truncateSync } from "node:fs";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { drafts } from "../../contract/log-driver.ts";
import { FaultyConnection } from "../../helpers/fault.ts";
import { TempFolder } from "../../helpers/temp.ts";

const CHECKPOINT = "pragma wal_checkpoint(passive)";

let folder: TempFolder;
let connection: FaultyConnection;
let alarms: (string | undefined)[];
let log: SqliteEventLog;

beforeEach(() => {
  folder = new TempFolder();
  connection = new FaultyConnection();
  alarms = [];
  const onAlarm = (detail: string | undefined) => void alarms.push(detail);
  log = new SqliteEventLog(folder.file(), { durability: "os", onAlarm }, { connect: connection.connect });
});

afterEach(async () => {
  await log.close();
  folder[Symbol.dispose]();
});

/** Prunes while every checkpoint fails. */
async function pruneStuck(): Promise<void> {
  for (const _ of [1, 2]) connection.failNext(CHECKPOINT, "SQLITE_IOERR_FSYNC");
  await log.prune({}, 0);
}

const autoCheckpoint = () => connection.database.query("pragma wal_autocheckpoint").values();

test("a file that cannot be written is reported once, until it can be; events are accepted meanwhile", async () => {
  await pruneStuck();
  await pruneStuck();
  const detail = "the history file cannot be written (disk I/O error): new events stay in its write-ahead log";
  expect(log.health()).toEqual({ state: "stuck", detail });
  await log.append(drafts(1));
  await log.prune({}, 0);
  expect(log.health()).toEqual({ state: "ok" });
  expect(alarms).toEqual([detail, undefined]);
});

test("commits do not try to write a file that cannot be written", async () => {
  await pruneStuck();
  expect(autoCheckpoint()).toEqual([[0]]);
  await log.prune({}, 0);
  expect(autoCheckpoint()).toEqual([[500]]);
});

test("a write-ahead log that is far too large is reported, until it has been emptied", async () => {
  truncateSync(`${folder.file()}-wal`, 65 * 1024 * 1024);
  expect(log.health()).toMatchObject({ state: "stuck", detail: expect.stringContaining("has 68157440 bytes") });
  truncateSync(`${folder.file()}-wal`, 4 * 1024 * 1024);
  await log.prune({}, 0);
  expect(log.health()).toEqual({ state: "ok" });
});
