import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { TempFolder } from "../../helpers/temp.ts";

export const OPERATION = { write: 1, sync: 2, truncate: 4, open: 8, send: 16, unlink: 32 } as const;
export const FILE = { main: 1, wal: 2, journal: 4, socket: 8, folder: 16, probe: 32 } as const;
/** From Linux' errno.h. */
export const ERRNO = { EIO: 5, ENOSPC: 28, EDQUOT: 122 } as const;

/** What layer.c has recorded. */
export interface Operation {
  readonly operation: number;
  readonly file: number;
  /** Where it wrote; for a truncation, the new length. */
  readonly offset: number;
  readonly data: Buffer;
}

export interface Fault {
  /** Bits of `OPERATION`, and of `FILE`. */
  readonly calls: number;
  readonly files: number;
  /** 0: writes are short. */
  readonly error: number;
  /** How many succeed before; default 0. */
  readonly skipped?: number;
  /** How many fail; default: all of them. */
  readonly times?: number;
}

const CONTROL_BYTES = 32;
const CLOCK_OFFSET = 24;
const FAILED_OFFSET = 20;
const RECORD_BYTES = 16;
/** The name by which layer.c knows the history. */
const NAME = "history.db";

/** A folder for a server whose calls to the operating system go through layer.c. */
export class Layer implements Disposable {
  readonly #folder = TempFolder.onDisk();
  readonly #control: number;
  readonly #logPath = this.#folder.file("calls.log");
  readonly #library = this.#folder.file("layer.so");

  /** `compiler` is the path of a C compiler. */
  constructor(compiler: string) {
    const source = join(import.meta.dir, "layer.c");
    const command = [compiler, "-shared", "-fPIC", "-O2", "-o", this.#library, source, "-ldl", "-lpthread"];
    const { success, stderr } = Bun.spawnSync(command);
    if (!success) throw new Error(`layer.c cannot be compiled: ${stderr}`);
    writeFileSync(this.#folder.file("control"), Buffer.alloc(CONTROL_BYTES));
    this.#control = openSync(this.#folder.file("control"), "r+");
  }

  get folder(): string {
    return this.#folder.path;
  }

  /** The path of the history. */
  get history(): string {
    return this.#folder.file(NAME);
  }

  /** For a program that is to run through the layer. */
  env({ isRecorded = false } = {}): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      FAULTS_NAME: NAME,
      FAULTS_CONTROL: this.#folder.file("control"),
      ...(isRecorded ? { FAULTS_LOG: this.#logPath } : {}),
    };
  }

  /** Lets calls fail from now on. */
  fail({ calls, files, error, skipped = 0, times = -1 }: Fault): void {
    this.#write([0, files, error, skipped, times]);
    this.#write([calls]);
  }

  /** Lets every call succeed from now on. */
  heal(): void {
    this.#write([0]);
  }

  /** How many calls have failed. */
  get failed(): number {
    const bytes = Buffer.alloc(4);
    readSync(this.#control, bytes, 0, 4, FAILED_OFFSET);
    return bytes.readInt32LE();
  }

  /** Sets the program's clock ahead by this many milliseconds; back if negative. */
  setClock(byMs: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(byMs) * 1_000_000n);
    writeSync(this.#control, bytes, 0, 8, CLOCK_OFFSET);
  }

  /** Everything that was recorded, in order. */
  operations(): Operation[] {
    const bytes = readFileSync(this.#logPath);
    const operations: Operation[] = [];
    for (let at = 0; at + RECORD_BYTES <= bytes.length; ) {
      const end = at + RECORD_BYTES + bytes.readUInt32LE(at + 4);
      operations.push({
        operation: bytes.readUInt8(at),
        file: bytes.readUInt8(at + 1),
        offset: Number(bytes.readBigUInt64LE(at + 8)),
        data: bytes.subarray(at + RECORD_BYTES, end),
      });
      at = end;
    }
    return operations;
  }

  [Symbol.dispose](): void {
    closeSync(this.#control);
    this.#folder[Symbol.dispose]();
  }

  #write(numbers: readonly number[]): void {
    const bytes = Buffer.alloc(numbers.length * 4);
    for (const [index, number] of numbers.entries()) bytes.writeInt32LE(number, index * 4);
    writeSync(this.#control, bytes, 0, bytes.length, 0);
  }
}
