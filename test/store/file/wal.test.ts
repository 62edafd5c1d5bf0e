import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { BusError } from "../../../src/bus/errors.ts";
import type { Event } from "../../../src/bus/event.ts";
import { checkFile } from "../../../src/store/check/check.ts";
import { copyFile } from "../../../src/store/copy/whole-file.ts";
import { SqliteEventLog } from "../../../src/store/event-log.ts";
import type { Durability } from "../../../src/store/file/sqlite.ts";
import { walkWal } from "../../../src/store/file/wal.ts";
import { readAll } from "../../contract/log-driver.ts";
import { busErrorOf } from "../../helpers/bus-error.ts";
import { randomFrom } from "../../helpers/load.ts";
import { rounds } from "../../helpers/rounds.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { flipped } from "../flip.ts";
import { eventbus, holdInAnotherProcess } from "../other-process.ts";

const FLIPS = rounds(200, 1000);
const CUTS = rounds(100, 1000);
const SEED = Number(process.env["EVENTBUS_TEST_SEED"] ?? 1);
const COMMITS = 60;
const HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4096;

let folder: TempFolder;
let main: Buffer;
let wal: Buffer;
let original: Event[];

/** What a process leaves behind that is killed after its sixtieth commit. */
beforeAll(async () => {
  folder = new TempFolder();
  await using holder = await holdInAnotherProcess(folder.file("killed.db"), COMMITS);
  await holder.kill();
  main = readFileSync(folder.file("killed.db"));
  wal = readFileSync(folder.file("killed.db-wal"));
  const log = new SqliteEventLog(restore(main, wal));
  original = readAll(log);
  await log.close();
});

afterAll(() => folder[Symbol.dispose]());

function restore(mainBytes: Uint8Array, walBytes: Uint8Array): string {
  writeFileSync(folder.file(), mainBytes);
  writeFileSync(`${folder.file()}-wal`, walBytes);
  return folder.file();
}

/** The events that a file has; an error when it is refused. */
async function eventsOf(path: string, durability: Durability = "fsync"): Promise<Event[] | BusError> {
  try {
    const log = new SqliteEventLog(path, { durability });
    const events = readAll(log);
    await log.close();
    return events;
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
}

/** What the check names: damage, and commits that are left out. */
async function lossOf(path: string): Promise<{ damage: string[]; loss: string[] }> {
  const found = { damage: [] as string[], loss: [] as string[] };
  await checkFile(path, {
    onDamage: (detail) => void found.damage.push(detail),
    onWarning: (detail) => void found.loss.push(detail),
  });
  return found;
}

async function findings(path: string): Promise<string[]> {
  const { damage, loss } = await lossOf(path);
  return [...damage, ...loss];
}

/** The offset of a byte of a frame, counted from 1, or from the end if negative. */
function inFrame(frame: number, byte: number): number {
  const frames = Math.floor((wal.length - HEADER_BYTES) / FRAME_BYTES);
  return HEADER_BYTES + (frame > 0 ? frame - 1 : frames + frame) * FRAME_BYTES + byte;
}

/** How many commits end within the first bytes of the log. */
function commitsWithin(bytes: number): number {
  let commits = 0;
  for (let end = HEADER_BYTES + FRAME_BYTES; end <= bytes; end += FRAME_BYTES) {
    if (wal.readUInt32BE(end - FRAME_BYTES + 4) !== 0) commits++;
  }
  return commits;
}

describe("the write-ahead log of a killed process", () => {
  test("is read as SQLite reads it", async () => {
    const report = walkWal(`${restore(main, wal)}-wal`, 4096);
    expect(report).toMatchObject({ brokenFrame: undefined, lostCommits: 0 });
    expect(report?.commits).toBeGreaterThanOrEqual(COMMITS);
    expect(report?.firstPage?.readUInt32BE(60)).toBeGreaterThan(0);
    expect(original).toHaveLength(COMMITS);
    expect(await findings(restore(main, wal))).toEqual([]);
  });

  test("is no damage when it ends in the middle of a commit", async () => {
    const path = restore(main, wal);
    truncateSync(`${path}-wal`, wal.length - 100);
    expect(await findings(path)).toEqual([]);
    expect(await eventsOf(path)).toHaveLength(COMMITS - 1);
  });

  test("has exactly the commits that are whole, wherever it is cut", async () => {
    const random = randomFrom(SEED);
    const made = commitsWithin(wal.length) - COMMITS;
    for (let cut = 0; cut < CUTS; cut++) {
      const length = HEADER_BYTES + Math.floor(random() * (wal.length - HEADER_BYTES));
      const path = restore(main, wal.subarray(0, length));
      const kept = original.slice(0, Math.max(0, commitsWithin(length) - made));
      const events = await eventsOf(path);
      expect({ seed: SEED, length, events }).toEqual({ seed: SEED, length, events: kept });
    }
  });

  test("is no damage when frames of an earlier round follow", async () => {
    const old = Buffer.from(wal.subarray(HEADER_BYTES));
    for (let offset = 8; offset < old.length; offset += FRAME_BYTES) old.fill(7, offset, offset + 8);
    const path = restore(main, Buffer.concat([wal, old]));
    expect(await findings(path)).toEqual([]);
    expect(await eventsOf(path)).toHaveLength(COMMITS);
  });

  test.each([
    ["page", 500],
    ["checksum", 16],
    ["first salt", 8],
    ["second salt", 12],
  ])("reports its last commit when the %s of that is torn or damaged, and is sound all the same", async (_, byte) => {
    const path = restore(main, flipped(wal, inFrame(-1, byte) * 8));
    const detail = expect.stringMatching(/-wal: its frame \d+ is torn or damaged, and its last commit is omitted/);
    expect(await lossOf(path)).toEqual({ damage: [], loss: [detail] });
    const copied: string[] = [];
    await copyFile(path, folder.file("copy.db"), { onProgress: () => {}, onWarning: (text) => void copied.push(text) });
    expect(copied).toEqual([detail]);
    const opened: string[] = [];
    const log = new SqliteEventLog(path, { onWarning: (text) => void opened.push(text) });
    expect([opened, log.head]).toEqual([[detail], COMMITS - 1]);
    await log.close();
  });

  test("ends the command with 0 when only its last commit may be missing, and says so", async () => {
    const path = restore(main, flipped(wal, inFrame(-1, 500) * 8));
    const { exitCode, stdout, stderr } = await eventbus("check", "--db", path);
    expect([exitCode, stdout]).toEqual([0, `${path} is sound: ${COMMITS - 1} events, ids 1 to ${COMMITS - 1}\n`]);
    expect(stderr).toContain("its last commit is omitted");
  });

  test("is rejected, and left as it is, when commits that were acknowledged would be lost", async () => {
    const path = restore(main, flipped(wal, inFrame(-9, 500) * 8));
    const before = folder.fingerprint();
    const { message } = busErrorOf(() => new SqliteEventLog(path));
    expect(message).toMatch(/-wal is damaged, and \d+ commits after the damage would be lost: run "eventbus check/);
    expect(message).toContain(`move ${path}-wal away to continue without any of the`);
    const { damage } = await lossOf(path);
    expect(damage).toEqual([expect.stringMatching(/is damaged, and the \d+ commits from there on are omitted/)]);
    const copying = copyFile(path, folder.file("copy.db"), { onProgress: () => {}, onWarning: () => {} });
    await expect(copying).rejects.toThrow(`${path} is damaged: `);
    expect(folder.fingerprint()).toEqual(before);
  });

  test("can be moved away", async () => {
    const path = restore(main, flipped(wal, inFrame(-9, 500) * 8));
    rmSync(`${path}-wal`);
    expect(await eventsOf(path)).toEqual([]);
  });

  test("is checkpointed as far as it goes where a power failure may have left it so", async () => {
    const path = restore(main, flipped(wal, inFrame(-9, 500) * 8));
    const events = await eventsOf(path, "os");
    const kept = Array.isArray(events) ? events.length : 0;
    expect(kept).toBeGreaterThan(COMMITS - 10);
    expect(kept).toBeLessThan(COMMITS - 1);
    expect(events).toEqual(original.slice(0, kept));
  });

  test.each([
    ["header", 5],
    ["salt", 17],
    ["checksum of the header", 25],
  ])("is refused when its %s is damaged", async (_, offset) => {
    const path = restore(main, flipped(wal, offset * 8));
    expect(await findings(path)).toEqual([expect.stringContaining("its header is damaged")]);
    expect(await eventsOf(path)).toBeInstanceOf(BusError);
  });
});

describe(`${FLIPS} flipped bits in the write-ahead log of a killed process`, () => {
  test("lose no commit silently but the last, and are found by the check", async () => {
    const random = randomFrom(SEED);
    const bad: string[] = [];
    const counts = { refused: 0, lostLast: 0, harmless: 0 };
    for (let flip = 0; flip < FLIPS; flip++) {
      const bit = Math.floor(random() * wal.length * 8);
      const found = await findings(restore(main, flipped(wal, bit)));
      const events = await eventsOf(restore(main, flipped(wal, bit)));
      const kept = events instanceof BusError ? 0 : events.length;
      if (events instanceof BusError) counts.refused++;
      else if (!Bun.deepEquals(events, original.slice(0, kept))) bad.push(`bit ${bit}: an event is not what it was`);
      else if (kept === COMMITS) counts.harmless++;
      else if (kept === COMMITS - 1) counts.lostLast++;
      else bad.push(`bit ${bit}: only ${kept} events`);
      if (kept < COMMITS && found.length === 0) bad.push(`bit ${bit}: the check finds nothing`);
    }
    console.log(`seed ${SEED}:`, counts);
    expect(bad).toEqual([]);
  });
});
