import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { BusError } from "../../../src/bus/errors.ts";
import { checkFile } from "../../../src/store/check/check.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { APPLICATION_ID } from "../../../src/store/file/file-inspection.ts";
import { drafts, readAll } from "../../contract/log-driver.ts";
import { busErrorOf } from "../../helpers/bus-error.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { flipped } from "../flip.ts";
import { eventbus, holdInAnotherProcess, raceToOpen } from "../other-process.ts";

/** Without the second attempt, and with the loser's removal of the file, about one in ten had no winner. */
const RACES = 20;

let folder: TempFolder;

beforeEach(() => {
  folder = new TempFolder();
});

afterEach(() => folder[Symbol.dispose]());

describe("the files of the history", () => {
  const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

  test("are for their owner alone when they are made, and keep the mode that they have", async () => {
    const path = folder.file("new.db");
    const log = new SqliteEventLog(path);
    await log.append(drafts(1));
    expect([modeOf(path), modeOf(`${path}-wal`)]).toEqual(["600", "600"]);
    await log.close();
    chmodSync(path, 0o640);
    const again = new SqliteEventLog(path);
    await again.append(drafts(1));
    expect([modeOf(path), modeOf(`${path}-wal`)]).toEqual(["640", "640"]);
    await again.close();
  });

  test("are gone when a new history is discarded, and stay when it has an event or a token", async () => {
    const path = folder.file("new.db");
    await new SqliteEventLog(path).discard();
    expect(readdirSync(folder.path)).toEqual([]);
    const used = new SqliteEventLog(path);
    await used.append(drafts(1));
    await used.discard();
    expect(await headOf(path)).toBe(1);
    await new SqliteEventLog(path).discard();
    expect(await headOf(path)).toBe(1);
  });
});

/** What opening says; the files must be what they were before. */
function refusalOf(path: string): string {
  const before = folder.fingerprint();
  const { code, message } = busErrorOf(() => new SqliteEventLog(path));
  expect(code).toBe("unavailable");
  expect(folder.fingerprint()).toEqual(before);
  return message;
}

/** A closed history of three events. */
async function makeHistory(name = "history.db"): Promise<string> {
  const log = new SqliteEventLog(folder.file(name));
  await log.append(drafts(3));
  await log.close();
  return folder.file(name);
}

async function headOf(path: string): Promise<number> {
  const log = new SqliteEventLog(path);
  const { head } = log;
  await log.close();
  return head;
}

/** A rollback journal of a transaction before which the database had this many pages. */
function journalHeader(pages: number): Buffer {
  const header = Buffer.alloc(512);
  header.write("d9d505f920a163d7", 0, "hex");
  header.writeUInt32BE(pages, 16);
  header.writeUInt32BE(512, 20);
  header.writeUInt32BE(4096, 24);
  return header;
}

describe("opening makes a history", () => {
  test("where there is no file", async () => {
    expect(existsSync(await makeHistory())).toBe(true);
  });

  test("in an empty file", async () => {
    writeFileSync(folder.file(), "");
    expect(readFileSync(await makeHistory()).toString("latin1", 0, 15)).toBe("SQLite format 3");
  });

  test("in a SQLite database without a table", async () => {
    const database = new Database(folder.file(), { create: true });
    database.run("vacuum");
    database.close(true);
    const log = new SqliteEventLog(await makeHistory());
    expect(log.head).toBe(3);
    await log.close();
  });

  test("in a file whose creation was interrupted", async () => {
    const database = new Database(folder.file(), { create: true });
    database.run(`pragma application_id = ${APPLICATION_ID}`);
    database.run("pragma journal_mode = wal");
    database.close(true);
    const log = new SqliteEventLog(await makeHistory());
    expect(log.head).toBe(3);
    await log.close();
  });

  describe("in a file that a power cut tore while it was made, where", () => {
    test("the first page is blank", async () => {
      writeFileSync(folder.file(), Buffer.alloc(4096));
      expect(await headOf(await makeHistory())).toBe(3);
    });

    test.each([0, 1])("a rollback journal says that there were no more pages than %d", async (pages) => {
      writeFileSync(folder.file(), Buffer.alloc(4096).fill("torn"));
      writeFileSync(`${folder.file()}-journal`, journalHeader(pages));
      expect(await headOf(await makeHistory())).toBe(3);
      expect(Object.keys(folder.fingerprint())).toEqual(["history.db"]);
    });
  });

  test("that is durable and locked", async () => {
    const names = ["journal_mode", "synchronous", "locking_mode", "auto_vacuum"];
    let values: unknown[] = [];
    const connect = (database: Database) => {
      values = names.map((name) => database.query(`pragma ${name}`).values()[0]?.[0]);
      return database;
    };
    await new SqliteEventLog(folder.file(), {}, { connect }).close();
    expect(values).toEqual(["wal", 2, "exclusive", 2]);
  });
});

describe("opening rejects, and leaves untouched,", () => {
  test("a text file", () => {
    writeFileSync(folder.file(), "a shopping list: bread, milk\n".repeat(100));
    expect(refusalOf(folder.file())).toEndWith("is not a SQLite database: use another file");
  });

  test("a short text file", () => {
    writeFileSync(folder.file(), "hi");
    expect(refusalOf(folder.file())).toEndWith("is not a SQLite database: use another file");
  });

  test("a text file beside a rollback journal of more pages", () => {
    writeFileSync(folder.file(), "bread, milk");
    writeFileSync(`${folder.file()}-journal`, journalHeader(2));
    expect(refusalOf(folder.file())).toEndWith("is not a SQLite database: use another file");
  });

  test("a file whose beginning is blank, and what follows is not", async () => {
    const path = await makeHistory();
    writeFileSync(path, readFileSync(path).fill(0, 0, 4096));
    expect(refusalOf(path)).toContain("begins with zeros, as after a power cut: restore a backup, or remove it if");
  });

  test("a blank file whose events are in a write-ahead log", async () => {
    await using holder = await holdInAnotherProcess(folder.file(), 3);
    await holder.kill();
    writeFileSync(folder.file(), Buffer.alloc(4096));
    expect(refusalOf(folder.file())).toContain("begins with zeros");
  });

  test("the database of another program", () => {
    const database = new Database(folder.file(), { create: true });
    database.run("create table bread (milk)");
    database.close(true);
    expect(refusalOf(folder.file())).toContain("is a SQLite database of another program");
  });

  test("the database of another program whose tables are only in its write-ahead log", () => {
    const database = new Database(folder.file("live.db"), { create: true });
    database.run("pragma journal_mode = wal");
    database.run("create view bread as select 1 as milk");
    folder.copyDatabase(folder.file("live.db"), "history.db");
    database.close(true);
    expect(refusalOf(folder.file())).toContain("is a SQLite database of another program");
  });

  test("a header that is cut off", async () => {
    truncateSync(await makeHistory(), 50);
    expect(refusalOf(folder.file())).toEndWith("is truncated after 50 bytes: restore a backup");
  });

  test("a file that is cut off", async () => {
    const path = await makeHistory();
    truncateSync(path, 8192);
    expect(refusalOf(path)).toMatch(/is truncated: 8192 of \d+ bytes: restore a backup$/);
  });

  test.each([
    ["for writing", 18],
    ["for reading", 19],
  ])("a damaged version %s in its header, and says what it is", async (_, offset) => {
    const path = await makeHistory();
    writeFileSync(path, flipped(readFileSync(path), offset * 8));
    expect(refusalOf(path)).toMatch(/ is damaged: its header has the versions (3 and 2|2 and 3), /);
    expect(checkFile(path, { onDamage: () => {} })).rejects.toThrow("is damaged: its header");
  });

  test("a folder", () => {
    mkdirSync(folder.file("folder"));
    const { message } = busErrorOf(() => new SqliteEventLog(folder.file("folder")));
    expect(message).toEndWith("is a folder, not a file");
  });

  test("a name that ends as that of a folder", () => {
    expect(refusalOf(`${folder.file()}/`)).toEndWith("/ is the name of a folder, not of a file");
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("a pipe, a device, and a link to one, without waiting for them", () => {
    const pipe = folder.file("pipe");
    expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
    symlinkSync("/dev/null", folder.file("link"));
    for (const name of [pipe, folder.file("link"), "/dev/zero"]) {
      expect(busErrorOf(() => new SqliteEventLog(name)).message).toEndWith("is not a regular file: use another file");
    }
  });

  test("a link that leads back to itself, and a name that is too long", () => {
    symlinkSync("loop", folder.file("loop"));
    const rejected = (name: string) => busErrorOf(() => new SqliteEventLog(folder.file(name))).message;
    expect(rejected("loop")).toEndWith("loop cannot be opened: its links lead back to it");
    expect(rejected("a".repeat(300))).toEndWith("cannot be opened: its name is too long");
  });

  test("a file in a folder that does not exist", () => {
    const path = join(folder.path, "nowhere", "history.db");
    expect(refusalOf(path)).toEndWith(`cannot be created: there is no folder ${folder.file("nowhere")}`);
  });

  test("a missing file whose events are in a write-ahead log", async () => {
    await using holder = await holdInAnotherProcess(folder.file(), 3);
    await holder.kill();
    rmSync(folder.file());
    expect(refusalOf(folder.file())).toContain(`is missing or empty, but ${folder.file()}-wal contains events`);
  });

  test("a newer schema", async () => {
    const path = await makeHistory();
    const database = new Database(path);
    database.run("pragma user_version = 99");
    database.close(true);
    expect(refusalOf(path)).toMatch(/has schema version 99, newer than the \d+ that this eventbus knows/);
  });

  test("a newer schema behind a link", async () => {
    const database = new Database(await makeHistory());
    database.run("pragma user_version = 99");
    folder.copyDatabase(folder.file(), "copy.db");
    database.close(true);
    symlinkSync(folder.file("copy.db"), folder.file("link.db"));
    expect(refusalOf(folder.file("link.db"))).toContain("has schema version 99");
  });

  test("a newer schema that is only in the write-ahead log", async () => {
    const path = await makeHistory("live.db");
    const database = new Database(path);
    database.run("pragma user_version = 99");
    folder.copyDatabase(path, "history.db");
    database.close(true);
    expect(existsSync(`${folder.file()}-wal`)).toBe(true);
    expect(refusalOf(folder.file())).toContain("has schema version 99");
  });

  test("a file whose numbers are damaged", async () => {
    const path = await makeHistory();
    const database = new Database(path);
    database.run("update meta set value = 2 where name = 'pruned_to'");
    database.close(true);
    const { message } = busErrorOf(() => new SqliteEventLog(path));
    expect(message).toContain("cannot be opened: pruned_to in the table meta is damaged");
  });
});

describe("an open history is locked", () => {
  test("for this process, by any name of the file, until it is closed", async () => {
    const path = await makeHistory();
    const log = new SqliteEventLog(path);
    for (const name of [path, join(folder.path, ".", "history.db")]) {
      expect(busErrorOf(() => new SqliteEventLog(name)).message).toContain("is in use by another process");
    }
    await log.close();
    await new SqliteEventLog(path).close();
  });

  test("by whatever link it is reached", async () => {
    const path = await makeHistory();
    symlinkSync(path, folder.file("link.db"));
    const log = new SqliteEventLog(folder.file("link.db"));
    expect(() => new SqliteEventLog(path)).toThrow("is in use by another process");
    await log.close();
  });

  test("for another process, also after a second attempt in this one", async () => {
    const path = await makeHistory();
    const log = new SqliteEventLog(path);
    expect(() => new SqliteEventLog(path)).toThrow(BusError);
    const { exitCode, stderr } = await eventbus("serve", "--port", "0", "--db", path);
    expect([exitCode, stderr]).toEqual([
      1,
      `eventbus: ${path} is in use by another process: stop it, or use another file\n`,
    ]);
    await log.close();
  });

  test("by another process, until that is killed; then nothing is missing", async () => {
    await using holder = await holdInAnotherProcess(folder.file(), 20);
    expect(busErrorOf(() => new SqliteEventLog(folder.file())).message).toContain("is in use by another process");
    await holder.kill();
    const log = new SqliteEventLog(folder.file());
    expect([log.head, readAll(log).length]).toEqual([20, 20]);
    await log.close();
  });

  for (const kind of ["new", "existing"]) {
    test(`for one of two processes that open ${kind} files at the same instant`, async () => {
      const paths = Array.from({ length: RACES }, (_, index) => folder.file(`${index}.db`));
      if (kind === "existing") for (const path of paths) await new SqliteEventLog(path).close();
      await using race = await raceToOpen(paths, 2);
      for (const path of paths) {
        const [loser, winner] = (await race.next()).sort();
        expect([loser, winner]).toEqual([`${path} is in use by another process: stop it, or use another file`, "open"]);
        expect(existsSync(path)).toBe(true);
      }
    });
  }

  test("and released when opening fails half-way", async () => {
    const path = await makeHistory();
    const connect = () => {
      throw new Error("no");
    };
    expect(() => new SqliteEventLog(path, {}, { connect })).toThrow("cannot be opened: no");
    await new SqliteEventLog(path).close();
  });

  test("and closed without a trace beside it", async () => {
    const path = await makeHistory();
    expect(Object.keys(folder.fingerprint())).toEqual(["history.db"]);
    copyFileSync(path, folder.file("copy.db"));
    const copy = new SqliteEventLog(folder.file("copy.db"));
    expect(copy.head).toBe(3);
    await copy.close();
  });
});
