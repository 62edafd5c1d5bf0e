import { closeSync, openSync, readSync } from "node:fs";
import { stampIn } from "./wal-tie.ts";

/**
 * The contents of a write-ahead log, read by section 4 of the SQLite file format.
 *
 * SQLite recovers the frames up to the first one that does not fit those before it, and ignores all that follow. So one
 * damaged frame silently loses every commit after it.
 */
export interface WalReport {
  /** Commits that SQLite recovers. */
  readonly commits: number;
  /** The first frame that does not fit, counted from 1; 0 is the header. It is damaged if there are `lostCommits`. */
  readonly brokenFrame: number | undefined;
  /** Commits from that frame on, which SQLite omits: see `lossOf`. */
  readonly lostCommits: number;
  /** The beginning of the first page of the database, if one of the commits wrote it. */
  readonly firstPage: Buffer | undefined;
  /** It is not the one with which the log began. A file that has it was being written by a checkpoint, or later. */
  readonly isFirstPageChanged: boolean;
  /** The stamps of the commits that wrote the first page: see `wal-tie.ts`. */
  readonly stamps: ReadonlySet<number>;
  /** The content that the commits give to the lowest page after the first: the page that a checkpoint writes next. */
  readonly lowPage: Page | undefined;
}

interface Page {
  /** Counted from 1. */
  readonly number: number;
  readonly bytes: Buffer;
}

/** The commits that SQLite omits from a write-ahead log. */
export interface WalLoss {
  readonly detail: string;
  /**
   * The power may have failed before the commit was acknowledged. That explains at most one commit, as each is on the
   * disk before the next one is written.
   */
  readonly isOrdinary: boolean;
}

/** Returns what SQLite omits from the log at `path`; undefined if nothing. */
export function lossOf(path: string, { brokenFrame, lostCommits }: WalReport): WalLoss | undefined {
  if (lostCommits === 0) return undefined;
  const where = `${path}: ${brokenFrame === 0 ? "its header" : `its frame ${brokenFrame}`}`;
  if (lostCommits === 1) {
    const detail = `${where} is torn or damaged, and its last commit is omitted: nothing is lost if the process or the power failed before it was acknowledged`;
    return { detail, isOrdinary: true };
  }
  return {
    detail: `${where} is damaged, and the ${lostCommits} commits from there on are omitted`,
    isOrdinary: false,
  };
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const MAGIC_BIG_ENDIAN = 0x377f0683;
/** Frames read at a time. */
const CHUNK_FRAMES = 64;
/** Offset of `user_version` in a first page. */
export const USER_VERSION_OFFSET = 60;
/** Bytes of the first page that are kept: the header of the database and of its first tree. */
const FIRST_PAGE_BYTES = 108;

/** Reads the log of a database with pages of this size; undefined if there is none. */
export function walkWal(path: string, pageSize: number): WalReport | undefined {
  const file = openIfThere(path);
  if (file === undefined) return undefined;
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined;
    return new Walk(header, pageSize).over(framesOf(file, pageSize));
  } finally {
    closeSync(file);
  }
}

/** Reads the frames in order, with the checksum that every frame continues. */
class Walk {
  readonly #isBigEndian: boolean;
  readonly #isHeaderSound: boolean;
  /** Both salts as one text; those of the first frame if the header is invalid. */
  #salts: string | undefined;
  #sum: [number, number] = [0, 0];
  #brokenFrame: number | undefined;
  #commits = 0;
  #lostCommits = 0;
  #firstPage: Buffer | undefined;
  #isFirstPageChanged = false;
  #uncommittedFirstPage: Buffer | undefined;
  readonly #stamps = new Set<number>();
  #lowPage: Page | undefined;
  #uncommittedLowPage: Page | undefined;

  constructor(header: Buffer, pageSize: number) {
    const magic = header.readUInt32BE(0);
    this.#isBigEndian = magic === MAGIC_BIG_ENDIAN;
    this.#sum = this.#add(header.subarray(0, 24), this.#sum);
    this.#isHeaderSound =
      (this.#isBigEndian || magic === MAGIC_LITTLE_ENDIAN) &&
      header.readUInt32BE(8) === pageSize &&
      this.#isSum(header, 24);
    if (this.#isHeaderSound) this.#salts = saltsAt(header, 16);
    else this.#brokenFrame = 0;
  }

  over(frames: Iterable<Buffer>): WalReport {
    let number = 0;
    for (const frame of frames) {
      number++;
      this.#salts ??= saltsAt(frame, 8);
      if (this.#brokenFrame === undefined && !this.#follows(frame)) this.#brokenFrame = number;
      if (this.#brokenFrame === undefined) this.#take(frame);
      else if (isCommit(frame) && this.#isOfThisRound(frame)) this.#lostCommits++;
    }
    return {
      commits: this.#commits,
      brokenFrame: this.#brokenFrame,
      lostCommits: this.#lostCommits,
      firstPage: this.#firstPage,
      isFirstPageChanged: this.#isFirstPageChanged,
      stamps: this.#stamps,
      lowPage: this.#lowPage,
    };
  }

  /** Frames of an earlier round differ in both salts. If only one of them fits, it is damaged. */
  #isOfThisRound(frame: Buffer): boolean {
    const salts = saltsAt(frame, 8);
    return salts.slice(0, 4) === this.#salts?.slice(0, 4) || salts.slice(4) === this.#salts?.slice(4);
  }

  #follows(frame: Buffer): boolean {
    if (saltsAt(frame, 8) !== this.#salts) return false;
    this.#sum = this.#add(frame.subarray(FRAME_HEADER_BYTES), this.#add(frame.subarray(0, 8), this.#sum));
    return this.#isSum(frame, 16);
  }

  #take(frame: Buffer): void {
    const number = frame.readUInt32BE(0);
    const page = frame.subarray(FRAME_HEADER_BYTES);
    if (number === 1) this.#uncommittedFirstPage = Buffer.from(page.subarray(0, FIRST_PAGE_BYTES));
    else if (number <= (this.#uncommittedLowPage?.number ?? number)) {
      this.#uncommittedLowPage = { number, bytes: Buffer.from(page) };
    }
    if (!isCommit(frame)) return;
    this.#commits++;
    this.#lowPage = this.#uncommittedLowPage;
    if (this.#uncommittedFirstPage === undefined) return;
    if (this.#firstPage?.equals(this.#uncommittedFirstPage) === false) this.#isFirstPageChanged = true;
    this.#firstPage = this.#uncommittedFirstPage;
    this.#stamps.add(stampIn(this.#firstPage.readUInt32BE(USER_VERSION_OFFSET)));
    this.#uncommittedFirstPage = undefined;
  }

  #isSum(bytes: Buffer, offset: number): boolean {
    return bytes.readUInt32BE(offset) === this.#sum[0] && bytes.readUInt32BE(offset + 4) === this.#sum[1];
  }

  #add(bytes: Buffer, [first, second]: [number, number]): [number, number] {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    if (this.#isBigEndian) return addWords(words.map(swapped), first, second);
    return addWords(words, first, second);
  }
}

function addWords(words: Uint32Array, first: number, second: number): [number, number] {
  let a = first;
  let b = second;
  for (let index = 0; index < words.length; index += 2) {
    a = (a + (words[index] ?? 0) + b) >>> 0;
    b = (b + (words[index + 1] ?? 0) + a) >>> 0;
  }
  return [a, b];
}

function swapped(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/** A frame that ends a commit contains the number of pages that the database then has. */
function isCommit(frame: Buffer): boolean {
  return frame.readUInt32BE(4) !== 0;
}

function saltsAt(bytes: Buffer, offset: number): string {
  return bytes.toString("latin1", offset, offset + 8);
}

/** The complete frames of the file. Each is overwritten by a later one. */
function* framesOf(file: number, pageSize: number): Generator<Buffer> {
  const frameBytes = FRAME_HEADER_BYTES + pageSize;
  // In memory of its own, so that it is aligned for 32-bit numbers.
  const chunk = Buffer.from(new ArrayBuffer(CHUNK_FRAMES * frameBytes));
  let position = HEADER_BYTES;
  while (true) {
    const read = readSync(file, chunk, 0, chunk.length, position);
    const frames = Math.floor(read / frameBytes);
    if (frames === 0) return;
    for (let index = 0; index < frames; index++) yield chunk.subarray(index * frameBytes, (index + 1) * frameBytes);
    position += frames * frameBytes;
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
