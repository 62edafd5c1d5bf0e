import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { type LogInternals, SqliteEventLog } from "../../src/store/event-log.ts";
import { appendEach, draft, drafts, idsOf, range, readAll, topicsOf } from "../contract/log-driver.ts";
import { busErrorCodeOf, busRejectionOf } from "../helpers/bus-error.ts";
import { FakeClock } from "../helpers/clock.ts";
import { FaultyConnection } from "../helpers/fault.ts";
import { testOnSmallDisk } from "../helpers/small-disk.ts";
import { TempFolder } from "../helpers/temp.ts";

let folder: TempFolder;
let connection: FaultyConnection;
let failures: unknown[];
let log: SqliteEventLog;

beforeEach(() => {
  folder = new TempFolder();
  log = open();
});

afterEach(async () => {
  await log.close();
  folder[Symbol.dispose]();
});

function open(internals: LogInternals = {}): SqliteEventLog {
  connection = new FaultyConnection();
  failures = [];
  const options = { clock: new FakeClock().read, onFailure: (error: unknown) => void failures.push(error) };
  return new SqliteEventLog(folder.file(), options, { connect: connection.connect, ...internals });
}

async function reopen(internals: LogInternals = {}): Promise<void> {
  await log.close();
  log = open(internals);
}

/** Lets the database grow by no page; 0 lifts that. */
function limitPages(pages?: number): void {
  connection.database.run(`pragma max_page_count = ${pages ?? 1}`);
  if (pages === 0) connection.database.run("pragma max_page_count = 4294967294");
}

describe("appends of one turn of the loop", () => {
  test("share one transaction", async () => {
    await appendEach(log, Array(500).fill("a"));
    expect([connection.commits, log.head]).toEqual([1, 500]);
  });

  test("take a second one only when they are many", async () => {
    await Promise.all(range(1, 5).map(() => log.append(drafts(1000))));
    expect(connection.commits).toBe(2);
  });

  test("take a second one when they are large", async () => {
    const large = "x".repeat(1_500_000);
    await Promise.all(range(1, 4).map(() => log.append([draft("a", large)])));
    expect(connection.commits).toBe(2);
  });

  test("share it with those of the next turns, as long as each brings more", async () => {
    const answers = [log.append(drafts(1))];
    for (const _ of range(1, 5)) {
      answers.push(log.append(drafts(1)));
      await turns(1);
    }
    await Promise.all(answers);
    expect([connection.commits, log.head]).toEqual([1, 6]);
  });

  test("do not wait for those of the next", async () => {
    await log.append(drafts(1));
    await log.append(drafts(1));
    expect(connection.commits).toBe(2);
  });
});

describe("a full disk", () => {
  /** Too large for the pages that are free. */
  const large = () => log.append([draft("new.topic", "x".repeat(100_000))], { idempotencyKey: "k" });

  test("is an error of its own, with nothing committed", async () => {
    await log.append(drafts(3));
    limitPages();
    const small = log.append([draft("b")]);
    expect([await busErrorCodeOf(large()), await busErrorCodeOf(small)]).toEqual(["storage_full", "storage_full"]);
    expect([log.head, idsOf(readAll(log)), topicsOf(log).length]).toEqual([3, [1, 2, 3], 1]);
    expect(failures).toEqual([]);
  });

  test("is over by itself when there is space again", async () => {
    limitPages();
    await busErrorCodeOf(large());
    limitPages(0);
    expect(idsOf((await large()).events)).toEqual([1]);
    await reopen();
    expect(readAll(log).map(({ topic }) => String(topic))).toEqual(["new.topic"]);
    expect(log.health()).toEqual({ state: "ok" });
  });

  test("is reported by health until there is space again, without a publish", async () => {
    limitPages();
    await busErrorCodeOf(large());
    expect(log.health().state).toBe("full");
    expect(log.health().state).toBe("full");
    limitPages(0);
    expect(log.health()).toEqual({ state: "ok" });
  });

  test("makes pruning fail, which is done later", async () => {
    await log.append(drafts(600));
    connection.failNext("commit", "SQLITE_FULL", 1);
    expect(await busErrorCodeOf(log.prune({ maxHistory: 10 }, Date.now()))).toBe("storage_full");
    expect(idsOf(readAll(log))).toEqual(range(log.floor, 600));
    const floor = log.floor;
    expect(await log.prune({ maxHistory: 10 }, Date.now())).toBe(591 - floor);
    await reopen();
    expect(topicsOf(log)).toMatchObject([{ count: 10 }]);
  });

  test("while the ends of series are written takes nothing, and they are written later", async () => {
    await reopen({ endsInterval: 8 });
    await log.append(drafts(9));
    connection.failNext("insert or replace into series_end", "SQLITE_FULL");
    expect(await busErrorCodeOf(log.append(drafts(9)))).toBe("storage_full");
    await log.append(drafts(9));
    expect(connection.database.query("select count(*) from series_end").values()).toEqual([[1]]);
    await reopen();
    expect([log.health().state, topicsOf(log)[0]?.count]).toEqual(["ok", 18]);
  });
});

describe("a write with an unknown outcome", () => {
  test("is reported to its publishers, and once to the owner", async () => {
    connection.failNext("commit", "SQLITE_IOERR_FSYNC");
    const { code, message } = await busRejectionOf(log.append(drafts(2)));
    expect(code).toBe("unavailable");
    expect(message).toContain("whether this was stored is unknown");
    expect(failures).toHaveLength(1);
    expect(log.health().state).toBe("failed");
  });

  test("is the last one: nothing is stored afterwards, not even what was accepted before", async () => {
    connection.failNext("commit", "SQLITE_IOERR_FSYNC");
    const answers = range(1, 3).map(() => log.append(drafts(3000)));
    const codes = await Promise.all(answers.map(busErrorCodeOf));
    expect(codes).toEqual(["unavailable", "unavailable", "unavailable"]);
    const { message } = await busRejectionOf(log.append(drafts(1)));
    expect(message).toContain("this was not stored");
    expect(await busErrorCodeOf(log.prune({ maxHistory: 1 }, 0))).toBe("unavailable");
    expect([failures.length, log.head, connection.commits]).toEqual([1, 0, 0]);
  });

  test("leaves what was committed before to be read", async () => {
    await log.append(drafts(2));
    connection.failNext("commit", "SQLITE_IOERR_FSYNC");
    await busErrorCodeOf(log.append(drafts(2)));
    expect(idsOf(readAll(log))).toEqual([1, 2]);
    await reopen();
    expect(log.head).toBe(2);
  });

  test("may be a slice of pruning, too", async () => {
    await log.append(drafts(10));
    connection.failNext("commit", "SQLITE_IOERR_FSYNC");
    expect(await busErrorCodeOf(log.prune({ maxHistory: 1 }, 0))).toBe("unavailable");
    expect([log.floor, failures.length]).toEqual([1, 1]);
  });
});

describe("a file with broken structures", () => {
  test("rejects what cannot be written, says so, and continues", async () => {
    connection.failNext("insert into event", "SQLITE_CORRUPT", 1);
    expect(await busErrorCodeOf(log.append([draft("a"), draft("b")]))).toBe("internal");
    expect(log.health()).toMatchObject({ state: "damaged" });
    expect(idsOf((await log.append([draft("b")])).events)).toEqual([1]);
    expect(failures).toEqual([]);
  });
});

describe("close", () => {
  test("keeps what was accepted although the disk was full for a while", async () => {
    connection.failNext("commit", "SQLITE_FULL");
    const lost = busErrorCodeOf(log.append(drafts(1)));
    await log.close();
    expect(await lost).toBe("storage_full");
  });

  test("ends reading, too", async () => {
    await log.append(drafts(1));
    await log.close();
    for (const read of [() => log.read({}, 0, 1), () => log.get(1), () => topicsOf(log), () => log.size()]) {
      expect(read).toThrow("the history is closed");
    }
    expect(await busErrorCodeOf(log.prune({}, 0))).toBe("shutting_down");
  });
});

describe("a disk that is really full", () => {
  testOnSmallDisk(2, "takes nothing, loses nothing, and takes more when it has space again", async (disk) => {
    const onDisk = new SqliteEventLog(disk.file());
    writeFileSync(disk.file("ballast"), Buffer.alloc(1_000_000));
    const large = () => onDisk.append([draft("a", "x".repeat(100_000))]);
    let kept = 0;
    while (onDisk.health().state === "ok")
      await large().then(
        () => kept++,
        () => {},
      );
    expect(await busErrorCodeOf(large())).toBe("storage_full");
    expect([onDisk.head, onDisk.health().state]).toEqual([kept, "full"]);
    rmSync(disk.file("ballast"));
    expect(onDisk.health()).toEqual({ state: "ok" });
    await large();
    expect(idsOf(readAll(onDisk))).toEqual(range(1, kept + 1));
    // The disk has no room for two copies, in the file and in its log.
    expect(await onDisk.close().catch(String)).toMatch(/its newest events are in .*-wal, so keep both together$/);
  });
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
