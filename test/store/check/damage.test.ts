import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { range } from "../../contract/log-driver.ts";
import { randomFrom } from "../../helpers/load.ts";
import { rounds } from "../../helpers/rounds.ts";
import { TempFolder } from "../../helpers/temp.ts";
import { flipped } from "../flip.ts";
import { findingsOf, Original } from "./original.ts";

const FLIPS = rounds(100, 1000);
const FLIPS_OF_EACH = rounds(25, 100);
const SEED = Number(process.env["EVENTBUS_TEST_SEED"] ?? 1);
const NULLS_OF_EACH = rounds(5, 100);
const PAGE_BYTES = 4096;
/** The type of a page, and that of a value. */
const TABLE_LEAF = 13;
const ZERO = 8;
/** So few series in memory that they are looked for in the indexes. */
const FEW_SERIES = 3;

/** In the newest events, as the oldest ones were pruned. */
const UNCHECKED_FLIPS = 5;

/** A history, and the bytes of its file. */
interface Subject {
  readonly original: Original;
  readonly bytes: Buffer;
}

let folder: TempFolder;
let subject: Subject;

beforeAll(async () => {
  folder = new TempFolder();
  subject = await makeSubject("history.db");
});

async function makeSubject(name: string): Promise<Subject> {
  const original = await Original.make(folder.file(name));
  return { original, bytes: readFileSync(folder.file(name)) };
}

afterAll(() => folder[Symbol.dispose]());

function integrityCheckMisses(path: string): boolean {
  try {
    using database = new Database(path, { readonly: true });
    return database.query("pragma integrity_check").values()[0]?.[0] === "ok";
  } catch {
    return false;
  }
}

/** What went wrong with flipped bits. */
async function faultsOf(name: string, bits: readonly number[], { original, bytes } = subject): Promise<string[]> {
  const bad: string[] = [];
  const counts = { harmful: 0, refused: 0, found: 0, missedBySqlite: 0 };
  for (const bit of bits) {
    const path = folder.file("flipped.db");
    writeFileSync(path, flipped(bytes, bit));
    const found = await findingsOf(path);
    const cachedSeries = bit % 2 === 0 ? FEW_SERIES : undefined;
    const isMissed = integrityCheckMisses(path);
    const { isRefused, isMissing, isKeyLost, faults } = await original.outcomeOf(path, cachedSeries);
    const later = await original.laterOutcomeOf(path, cachedSeries);
    bad.push(...later.faults.map((fault) => `bit ${bit}: later, ${fault}`));
    const isHarmful = isMissing || isRefused || isKeyLost;
    bad.push(...faults.map((fault) => `bit ${bit}: ${fault}`));
    if (isHarmful && found.length === 0) bad.push(`bit ${bit}: the check finds nothing`);
    if (isHarmful) counts.harmful++;
    if (isRefused) counts.refused++;
    if (found.length > 0) counts.found++;
    if (found.length > 0 && isMissed) counts.missedBySqlite++;
  }
  console.log(`${name}, seed ${SEED}:`, counts);
  return bad;
}

/** The pages of each table and index. */
function pagesOfEach(): Map<string, number[]> {
  using database = new Database(folder.file(), { readonly: true });
  const pages = new Map<string, number[]>();
  for (const [name, page] of database.query("select name, pageno from dbstat").values() as [string, number][]) {
    pages.set(name, [...(pages.get(name) ?? []), page]);
  }
  return pages;
}

/** Where the bytes of a page are that are not zero. */
function usedBytesOf(page: number): number[] {
  const first = (page - 1) * PAGE_BYTES;
  return range(first, first + PAGE_BYTES - 1).filter((byte) => subject.bytes[byte] !== 0);
}

/** Where the headers of the rows of a table's leaf have the type of a zero, by section 2 of the SQLite file format. */
function zerosOf(page: number): number[] {
  const { bytes } = subject;
  const start = (page - 1) * PAGE_BYTES;
  if (bytes[start] !== TABLE_LEAF) return [];
  return range(0, bytes.readUInt16BE(start + 3) - 1).flatMap((cell) => {
    const afterSize = afterNumber(start + bytes.readUInt16BE(start + 8 + 2 * cell));
    const header = afterNumber(afterSize);
    return range(header + 1, header + bytes.readUInt8(header) - 1).filter((byte) => bytes[byte] === ZERO);
  });
}

/** The offset after a number of variable length. */
function afterNumber(start: number): number {
  let at = start;
  while (subject.bytes.readUInt8(at) >= 0x80) at++;
  return at + 1;
}

describe("flipped bits in a closed history", () => {
  test("are never served, never silent, and found by the check, wherever they are", async () => {
    const random = randomFrom(SEED);
    const bits = Array.from({ length: FLIPS }, () => Math.floor(random() * subject.bytes.length * 8));
    expect(await faultsOf("anywhere", bits)).toEqual([]);
  }, 600_000);

  test("are so, too, in each table and index", async () => {
    const random = randomFrom(SEED);
    const pages = pagesOfEach();
    expect(pages.size).toBeGreaterThanOrEqual(8);
    for (const [name, numbers] of pages) {
      const used = numbers.flatMap(usedBytesOf);
      const bits = Array.from({ length: FLIPS_OF_EACH }, () => {
        const byte = used[Math.floor(random() * used.length)] ?? 0;
        return byte * 8 + Math.floor(random() * 8);
      });
      expect([name, ...(await faultsOf(name, bits))]).toEqual([name]);
    }
  }, 600_000);

  test("are so, too, where a flipped bit turns a zero into null", async () => {
    const random = randomFrom(SEED);
    for (const [name, numbers] of pagesOfEach()) {
      const zeros = numbers.flatMap(zerosOf);
      const bits = Array.from({ length: Math.min(zeros.length, NULLS_OF_EACH) }, () => {
        const byte = zeros[Math.floor(random() * zeros.length)] ?? 0;
        return byte * 8 + 3;
      });
      expect([name, ...(await faultsOf(name, bits))]).toEqual([name]);
    }
  }, 600_000);

  test("are found because of the checksums: without them, wrong events are served", async () => {
    const checksum = spyOn(Bun.hash, "crc32").mockReturnValue(0);
    try {
      const unchecked = await makeSubject("unchecked.db");
      const bits = placesOf(unchecked.bytes, "as sent")
        .slice(-UNCHECKED_FLIPS)
        .map((byte) => byte * 8);
      const faults = await faultsOf("without checksums", bits, unchecked);
      expect(faults.filter((fault) => fault.includes("wrong: "))).not.toEqual([]);
    } finally {
      checksum.mockRestore();
    }
  }, 600_000);
});

function placesOf(bytes: Buffer, text: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + 1)) places.push(at);
  return places;
}
