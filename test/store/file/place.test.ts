import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import { Place } from "../../../src/store/file/place.ts";
import { draft, drafts, idsOf, range, readAll } from "../../contract/log-driver.ts";
import { busErrorCodeOf, busRejectionOf } from "../../helpers/bus-error.ts";
import { TempFolder } from "../../helpers/temp.ts";

let folder: TempFolder;
let alarms: (string | undefined)[];
let log: SqliteEventLog;
let path: string;

beforeEach(async () => {
  folder = new TempFolder();
  path = folder.file();
  log = await open(path);
});

afterEach(async () => {
  await log.close().catch(() => {});
  folder[Symbol.dispose]();
});

async function open(name: string): Promise<SqliteEventLog> {
  alarms = [];
  const opened = new SqliteEventLog(name, { onAlarm: (detail) => void alarms.push(detail) });
  await opened.append(drafts(3));
  return opened;
}

function prune(): Promise<number> {
  return log.prune({}, Date.now());
}

/** Expects that the loss is noticed by the next pruning, and that nothing is stored from then on. */
async function expectRefusal(detail: string): Promise<void> {
  expect(await busErrorCodeOf(prune())).toBe("unavailable");
  expect(alarms).toEqual([expect.stringContaining(detail)]);
  expect(log.health()).toEqual({ state: "displaced", detail: expect.stringContaining(detail) });
  expect((await busRejectionOf(log.append(drafts(1)))).message).toMatch(/; nothing was stored$/);
  expect(idsOf(readAll(log))).toEqual(range(1, 3));
}

describe("a history whose file", () => {
  test("was removed refuses to store, can still be copied, and does not close as if all were well", async () => {
    rmSync(path);
    await expectRefusal("was removed while it was open");
    await using backup = await log.backup(new AbortController().signal);
    expect(backup.size).toBeGreaterThan(0);
    expect(log.close()).rejects.toThrow("was removed while it was open");
  });

  test("was moved with the folder that this process is in refuses to store, though its name was relative", async () => {
    await log.close();
    const [here, home] = [process.cwd(), folder.file("home")];
    mkdirSync(home);
    process.chdir(home);
    try {
      log = await open("relative.db");
      renameSync(home, folder.file("moved"));
      await expectRefusal("relative.db was moved while it was open");
    } finally {
      process.chdir(here);
    }
  });

  test("was moved continues when it is back", async () => {
    renameSync(path, folder.file("elsewhere.db"));
    await expectRefusal("was moved while it was open");
    renameSync(folder.file("elsewhere.db"), path);
    expect(log.health()).toEqual({ state: "ok" });
    expect(alarms.at(-1)).toBeUndefined();
    await log.append(drafts(1));
    await log.close();
  });

  test("was moved is complete where it is, once it is closed", async () => {
    renameSync(path, folder.file("elsewhere.db"));
    expect(log.close()).rejects.toThrow("was moved while it was open");
    log = new SqliteEventLog(folder.copyDatabase(folder.file("elsewhere.db"), "copy.db"));
    expect(idsOf(readAll(log))).toEqual(range(1, 3));
  });

  test("was replaced leaves the other file as it is", async () => {
    rmSync(path);
    writeFileSync(path, "another file");
    await expectRefusal("was removed while it was open");
    await log.close().catch(() => {});
    expect(readFileSync(path, "utf8")).toBe("another file");
  });

  test("was overwritten leaves what is in it now as it is", async () => {
    const other = folder.file("other.db");
    await (await open(other)).close();
    alarms = [];
    copyFileSync(other, path);
    expect(await busErrorCodeOf(prune())).toBe("unavailable");
    expect(log.health()).toEqual({ state: "displaced", detail: expect.stringContaining("was overwritten") });
    await log.close().catch(() => {});
    expect(readFileSync(path).equals(readFileSync(other))).toBe(true);
  });

  test("was emptied refuses to store", async () => {
    truncateSync(path);
    expect(await busErrorCodeOf(prune())).toBe("unavailable");
    expect(await busErrorCodeOf(log.append(drafts(1)))).toBe("unavailable");
  });

  test("has lost its write-ahead log keeps what was in it", async () => {
    rmSync(`${path}-wal`);
    await expectRefusal("-wal was removed or replaced");
    expect(log.close()).rejects.toThrow("-wal was removed");
    log = new SqliteEventLog(folder.copyDatabase(path, "copy.db"));
    expect(idsOf(readAll(log))).toEqual(range(1, 3));
  });

  test("is reached by a link refuses when that leads elsewhere", async () => {
    await log.close();
    symlinkSync(path, folder.file("link.db"));
    log = new SqliteEventLog(folder.file("link.db"));
    expect(await prune()).toBe(0);
    rmSync(folder.file("link.db"));
    expect(await busErrorCodeOf(prune())).toBe("unavailable");
    expect(existsSync(path)).toBe(true);
  });
});

test("a history that is closed leaves the write-ahead log of another one under its name alone", async () => {
  for (const suffix of ["", "-wal"]) rmSync(path + suffix);
  const other = await open(path);
  await log.close().catch(() => {});
  expect(existsSync(`${path}-wal`)).toBe(true);
  await other.append(drafts(1));
  await other.close();
});

/** What can be done to the files of an open history. */
const harms: Readonly<Record<string, () => void>> = {
  removed: () => rmSync(path),
  moved: () => renameSync(path, folder.file("elsewhere.db")),
  replaced: () => renameSync(folder.file("other.db"), path),
  overwritten: () => copyFileSync(folder.file("other.db"), path),
  emptied: () => truncateSync(path),
  "left without its write-ahead log": () => rmSync(`${path}-wal`),
};

/** How many events the history accepts after the harm, and the next pruning, that a restart would not find. */
async function lostAfter(harm: () => void): Promise<number> {
  await (await open(folder.file("other.db"))).close();
  await fill();
  harm();
  await prune().catch(() => {});
  const { events } = await log.append(drafts(1)).catch(() => ({ events: [] }));
  const found = await idsAfterRestart();
  return events.filter(({ id }) => !found.includes(id)).length;
}

/** Fills the file itself, so that its write-ahead log alone is not the whole history. */
async function fill(): Promise<void> {
  await log.append(Array.from({ length: 200 }, () => draft("a", "x".repeat(1000))));
  await log.close();
  log = await open(path);
}

async function idsAfterRestart(): Promise<number[]> {
  try {
    const restarted = new SqliteEventLog(folder.copyDatabase(path, "restarted.db"));
    const ids = idsOf(readAll(restarted));
    await restarted.close();
    return ids;
  } catch {
    return [];
  }
}

/** Makes histories that do not notice what happens to their files. */
function blind(): Disposable {
  const { loss } = Object.getOwnPropertyDescriptors(Place.prototype);
  Object.defineProperty(Place.prototype, "loss", { ...loss, get: () => undefined });
  return { [Symbol.dispose]: () => Object.defineProperty(Place.prototype, "loss", loss) };
}

describe.each(Object.entries(harms))("a history whose file was %s", (_, harm) => {
  test("accepts nothing that a restart would not find", async () => {
    expect(await lostAfter(harm)).toBe(0);
  });

  test("is detected if it does not notice", async () => {
    using _ = blind();
    expect(await lostAfter(harm)).toBe(1);
  });
});
