import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, copyFileSync, openSync, readFileSync, renameSync, truncateSync, writeSync } from "node:fs";
import { checkFile } from "../../../src/store/check/check.ts";
import { copyFile } from "../../../src/store/copy/whole-file.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { inspectFile } from "../../../src/store/file/file-inspection.ts";
import { SCHEMA_VERSION } from "../../../src/store/file/sqlite.ts";
import { tieWal } from "../../../src/store/file/wal-tie.ts";
import { drafts } from "../../contract/log-driver.ts";
import { busErrorOf } from "../../helpers/bus-error.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { holdInAnotherProcess } from "../other-process.ts";

const HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4096;
/** The times of files are no finer than this. */
const CLOCK_TICK_MS = 20;

let folder: TempFolder;
beforeEach(() => {
  folder = new TempFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** Leaves a history of two events, and what `keep` makes of it under another name; then one more, and is killed. */
async function killAfter(keep: (path: string, kept: string) => unknown): Promise<string> {
  const log = new SqliteEventLog(folder.file());
  await log.append(drafts(2));
  await log.close();
  await keep(folder.file(), folder.file("older.db"));
  await using holder = await holdInAnotherProcess(folder.file(), 1);
  await holder.kill();
  return folder.file("older.db");
}

/** Writes the pages of the log, or some of them, into the file, as a checkpoint does. */
function carryOut(path: string, isWanted = (_page: number) => true): void {
  const wal = readFileSync(`${path}-wal`);
  const main = openSync(path, "r+");
  for (let offset = HEADER_BYTES; offset < wal.length; offset += FRAME_BYTES) {
    const page = wal.readUInt32BE(offset);
    if (isWanted(page)) writeSync(main, wal, offset + 24, 4096, (page - 1) * 4096);
  }
  closeSync(main);
}

async function opened(path: string): Promise<{ head: number; warnings: string[] }> {
  const warnings: string[] = [];
  const log = new SqliteEventLog(path, { onWarning: (detail) => void warnings.push(detail) });
  const { head } = log;
  await log.close();
  return { head, warnings };
}

async function headOf(path: string): Promise<number> {
  const { head, warnings } = await opened(path);
  expect(warnings).toEqual([]);
  return head;
}

describe("a write-ahead log that a kill has left", () => {
  test("is carried out into its own file", async () => {
    await killAfter(() => {});
    expect(await headOf(folder.file())).toBe(3);
  });

  test.each<[string, (path: string, kept: string) => unknown]>([
    ["an older copy of its file", copyFileSync],
    ["a backup", (path, kept) => copyFile(path, kept, { onProgress: () => {}, onWarning: () => {} })],
  ])("is refused, and nothing is touched, when %s was put in the place of that", async (_, keep) => {
    copyFileSync(await killAfter(keep), folder.file());
    const before = folder.fingerprint();
    const { message } = busErrorOf(() => new SqliteEventLog(folder.file()));
    expect(message).toContain(`${folder.file()}-wal belongs to another state of ${folder.file()}`);
    await expect(checkFile(folder.file(), { onDamage: () => {} })).rejects.toThrow("belongs to another state");
    expect(folder.fingerprint()).toEqual(before);
    renameSync(`${folder.file()}-wal`, folder.file("aside"));
    expect(await headOf(folder.file())).toBe(2);
  });

  test("is carried out, and that is reported, when its file is an older copy that was made while the same server ran", async () => {
    await using holder = await holdInAnotherProcess(folder.file(), 3);
    copyFileSync(folder.file(), folder.file("older.db"));
    await holder.kill();
    await Bun.sleep(CLOCK_TICK_MS);
    copyFileSync(folder.file("older.db"), folder.file());
    const { head, warnings } = await opened(folder.file());
    expect([head, warnings]).toEqual([3, [expect.stringContaining("was changed after")]]);
  });

  test("says nothing when its server was killed after it had carried it out", async () => {
    await using holder = await holdInAnotherProcess(folder.file(), 3);
    await holder.kill();
    await Bun.sleep(CLOCK_TICK_MS);
    carryOut(folder.file());
    expect(await headOf(folder.file())).toBe(3);
  });

  test("says nothing when its server was killed after it had carried out only the first page", async () => {
    const log = new SqliteEventLog(folder.file());
    await log.append(drafts(500));
    const killed = folder.copyDatabase(folder.file(), "killed.db");
    await log.close();
    await Bun.sleep(CLOCK_TICK_MS);
    carryOut(killed, (page) => page === 1);
    expect(await headOf(killed)).toBe(500);
  });

  test("is no reason to reject when the kill came between its stamp and that of the file", async () => {
    const older = await killAfter(copyFileSync);
    copyFileSync(older, folder.file());
    truncateSync(`${folder.file()}-wal`, HEADER_BYTES + FRAME_BYTES);
    expect(await headOf(folder.file())).toBe(2);
  });
});

test("a server that was killed again and again opens what it left each time", async () => {
  for (let round = 1; round <= 5; round++) {
    await using holder = await holdInAnotherProcess(folder.file(), 2);
    await holder.kill();
  }
  expect(await headOf(folder.file())).toBe(10);
});

test.each([1, 2, 3, 4])(
  "a disk that is full at step %d of the stamping leaves a log that fits its file",
  async (step) => {
    await new SqliteEventLog(folder.file()).close();
    using database = new Database(folder.file());
    database.run("update meta set checksum = checksum");
    tieWal(failingAt(step, database));
    database.run("update meta set checksum = checksum");
    database.run("update meta set checksum = checksum");
    expect(inspectFile(folder.copyDatabase(folder.file(), "killed.db"), SCHEMA_VERSION).isNew).toBe(false);
  },
);

/** Fails as a full disk does at this checkpoint or write, counted from 1. */
function failingAt(step: number, database: Database): Database {
  let calls = 0;
  const failIfDue = (sql: string) => {
    if (/checkpoint|user_version =/.test(sql) && ++calls === step)
      throw Object.assign(new Error("full"), { code: "SQLITE_FULL" });
  };
  return new Proxy(database, {
    get: (target, name) => (sql: string) => {
      failIfDue(sql);
      return name === "run" ? target.run(sql) : target.query(sql);
    },
  });
}
