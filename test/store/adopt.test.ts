import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Change, Entry, Place } from "../../src/bus/ports.ts";
import { SqliteEventLog, type SqliteEventLogOptions } from "../../src/store/event-log.ts";
import { draft, drafts, idsOf, range, readAll } from "../contract/log-driver.ts";
import { busErrorCodeOf } from "../helpers/bus-error.ts";
import { FaultyConnection } from "../helpers/fault.ts";
import { until } from "../helpers/inbox.ts";
import { TempFolder } from "../helpers/temp.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

let folder: TempFolder;
let connection: FaultyConnection;
let opened: SqliteEventLog[];

beforeEach(() => {
  folder = new TempFolder();
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((log) => log.close()));
  folder[Symbol.dispose]();
});

function open(path = folder.file(), options: SqliteEventLogOptions = {}): SqliteEventLog {
  connection = new FaultyConnection();
  const internals = { connect: connection.connect };
  const log = new SqliteEventLog(path, { isMirror: true, durability: "os", ...options }, internals);
  opened.push(log);
  return log;
}

function at(sequence: number): Place {
  return { sequence, createdS: 1_700_000_000, createdNs: 123_456_789 };
}

function entry(number: number, changes: readonly Change[], { node = "a", atMs = 1000 * number } = {}): Entry {
  return { node, number, atMs, changes };
}

function append(count: number, idempotencyKey?: string): Change {
  return { kind: "append", drafts: drafts(count), idempotencyKey };
}

describe("a mirror", () => {
  test("stores the place with what it adopts, to the nanosecond", async () => {
    const log = open();
    expect(log.place).toBeUndefined();
    log.adopt([entry(1, [append(2)]), entry(2, [append(1)])], at(7));
    expect(log.place).toEqual(at(7));
    const copy = open(folder.copyDatabase(folder.file(), "copy.db"));
    expect([copy.place, copy.head]).toEqual([at(7), 3]);
  });

  test("gives each entry the later of its own time and that of the event before", () => {
    const log = open();
    const times = [5000, 3000, 6000];
    log.adopt(
      times.map((atMs, index) => entry(index + 1, [append(1)], { atMs })),
      at(3),
    );
    expect(readAll(log).map(({ created_at }) => Date.parse(created_at))).toEqual([5000, 5000, 6000]);
  });

  test("passes over a repeat, whatever came between, and after a restart", () => {
    const log = open();
    log.adopt([entry(1, [append(1)]), entry(1, [append(1)], { node: "b" }), entry(2, [append(1)])], at(3));
    expect(log.adopt([entry(1, [append(1)]), entry(2, [append(1)])], at(5))).toEqual([undefined, undefined]);
    const copy = open(folder.copyDatabase(folder.file(), "copy.db"));
    const outcomes = copy.adopt([entry(2, [append(1)]), entry(3, [append(1)])], at(7));
    expect([outcomes[0], copy.head, copy.place?.sequence]).toEqual([undefined, 4, 7]);
  });

  test("forgets a node a day after its last entry", () => {
    const log = open();
    log.adopt([entry(1, [append(1)])], at(1));
    log.adopt([entry(1, [append(1)], { node: "b", atMs: 1000 + 2 * DAY_MS })], at(2));
    const copy = open(folder.copyDatabase(folder.file(), "copy.db"));
    copy.adopt([entry(1, [append(1)], { atMs: 1000 + 3 * DAY_MS })], at(3));
    expect(copy.head).toBe(3);
  });

  test("adopts nothing of what fails, and all of it the next time", () => {
    const log = open();
    const record = {
      ...{ name: "t", hash: "00", publish: [], subscribe: [], consume: [] },
      ...{ isAdmin: true, isMonitor: false, createdMs: 1, expiresMs: undefined },
    };
    const changes: unknown[] = [];
    log.tokens.onChange((change) => changes.push(change));
    const entries = [entry(1, [append(2, "k"), { kind: "addToken", record }, { kind: "prune", upTo: 1 }])];
    connection.failNext("commit", "SQLITE_FULL");
    expect(() => log.adopt(entries, at(1))).toThrow("full");
    expect([log.head, log.floor, log.place, log.tokens.isUsed, changes]).toEqual([0, 1, undefined, false, []]);
    const [outcomes] = log.adopt(entries, at(1));
    expect(outcomes).toHaveLength(3);
    expect([log.head, changes]).toEqual([2, [{ added: record }]]);
  });

  test("decides on a key by the entries alone, however late the others are forgotten", () => {
    const log = open(folder.file(), { maxKeys: 2 });
    log.adopt(
      range(1, 4).map((n) => entry(n, [append(1, `k${n}`)])),
      at(4),
    );
    const again = (number: number, key: string) => log.adopt([entry(number, [append(1, key)])], at(number))[0]?.[0];
    expect(again(5, "k3")).toMatchObject({ appended: { replayed: true } });
    expect(again(6, "k2")).toMatchObject({ appended: { replayed: false } });
  });

  test("prunes what was decided, even if it was killed before it could", async () => {
    const log = open();
    log.adopt([entry(1, [append(100)])], at(1));
    log.adopt([entry(2, [{ kind: "prune", upTo: 40 }])], at(2));
    const copy = open(folder.copyDatabase(folder.file(), "copy.db"));
    expect(copy.floor).toBe(1);
    await until(() => copy.floor === 41 && log.floor === 41);
    expect(idsOf(readAll(copy))).toEqual(range(41, 100));
  });

  test("does not prune what comes later", async () => {
    const log = open();
    log.adopt([entry(1, [append(3), { kind: "prune", upTo: 100 }, append(2)])], at(1));
    await until(() => log.floor === 4);
    expect(idsOf(readAll(log))).toEqual([4, 5]);
  });
});

describe("the history of a node", () => {
  test("opens as that of a single node, says so, and leaves the stream for good", async () => {
    const log = open();
    log.adopt([entry(1, [append(3)])], at(1));
    await log.close();
    const warnings: string[] = [];
    const single = open(folder.file(), { isMirror: false, onWarning: (detail) => warnings.push(detail) });
    expect(warnings).toEqual([expect.stringContaining("the cluster does not accept it any more")]);
    expect(idsOf((await single.append([draft("a")])).events)).toEqual([4]);
    await single.close();
    expect(open().place).toBeUndefined();
  });

  test("is copied with the place of its newest event, while it goes on", async () => {
    const log = open();
    log.adopt([entry(1, [append(20_000)])], at(1));
    const copying = log.backup(new AbortController().signal);
    for (let number = 2; number <= 30; number++) {
      log.adopt([entry(number, [append(10)])], at(number));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await using copy = await copying;
    const parts: Uint8Array[] = [];
    for (let part = await copy.read(); part.length > 0; part = await copy.read()) parts.push(part);
    await Bun.write(folder.file("copy.db"), Buffer.concat(parts));
    const other = open(folder.file("copy.db"));
    const { sequence = 0 } = other.place ?? {};
    expect(other.head).toBe(20_000 + 10 * (sequence - 1));
    const rest = range(sequence + 1, 30).map((number) => entry(number, [append(10)]));
    if (rest.length > 0) other.adopt(rest, at(30));
    expect(readAll(other).map(({ json }) => json)).toEqual(readAll(log).map(({ json }) => json));
  });

  test("is closed to entries once it is closed", async () => {
    const log = open();
    await log.close();
    expect(() => log.adopt([entry(1, [append(1)])], at(1))).toThrow("closed");
    expect(await busErrorCodeOf(log.append([draft("a")]))).toBe("shutting_down");
  });
});
