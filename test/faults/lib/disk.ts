import { rmSync, writeFileSync } from "node:fs";
import { FILE, OPERATION, type Operation } from "./layer.ts";

/** Disks keep or lose a sector as a whole. */
const SECTOR_BYTES = 512;
const SUFFIXES: readonly (readonly [file: number, suffix: string])[] = [
  [FILE.main, ""],
  [FILE.wal, "-wal"],
  [FILE.journal, "-journal"],
];

/** One file: what is certainly on the disk, and what was written since the last fsync. */
class DiskFile {
  readonly #durable = new Contents();
  #pending: Operation[] = [];

  take(operation: Operation): void {
    if (operation.operation === OPERATION.sync) this.#sync();
    else this.#pending.push(operation);
  }

  /** Its folder was synced: if the file was removed, it stays removed. */
  syncName(): void {
    if (this.#pending.at(-1)?.operation === OPERATION.unlink) this.#sync();
  }

  #sync(): void {
    for (const operation of this.#pending.splice(0)) this.#durable.apply(operation);
  }

  /** What a power failure leaves; `random` chooses which pending operations have arrived. */
  afterPowerLoss(random: () => number): Buffer | undefined {
    const mood = random();
    const kept = mood < 0.25 ? [] : mood < 0.4 ? this.#pending : someOf(this.#pending, random);
    const left = this.#durable.copy();
    for (const operation of kept) left.apply(operation);
    return left.bytes;
  }
}

/** The bytes of a file. */
class Contents {
  #buffer = Buffer.alloc(0);
  #length: number | undefined;

  /** Undefined: there is no file. */
  get bytes(): Buffer | undefined {
    return this.#length === undefined ? undefined : this.#buffer.subarray(0, this.#length);
  }

  copy(): Contents {
    const copy = new Contents();
    copy.#buffer = Buffer.from(this.#buffer);
    copy.#length = this.#length;
    return copy;
  }

  apply({ operation, offset, data }: Operation): void {
    if (operation === OPERATION.unlink) this.#length = undefined;
    else if (operation === OPERATION.truncate) this.#resize(offset);
    else {
      this.#resize(Math.max(this.#length ?? 0, offset + data.length));
      data.copy(this.#buffer, offset);
    }
  }

  #resize(length: number): void {
    const before = this.#length ?? 0;
    if (length > this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer], Math.max(length, 2 * before));
    if (length > before) this.#buffer.fill(0, before, length);
    this.#length = length;
  }
}

/** The disk under a history, as far as recorded operations have come. */
export class Disk {
  readonly #files = new Map<number, DiskFile>(SUFFIXES.map(([file]) => [file, new DiskFile()]));

  take(operation: Operation): void {
    if (operation.file === FILE.folder) for (const file of this.#files.values()) file.syncName();
    else this.#files.get(operation.file)?.take(operation);
  }

  /** Puts the files where a restart will look for them, as a power failure now would leave them. */
  leave(path: string, random: () => number): void {
    for (const [file, suffix] of SUFFIXES) {
      const bytes = this.#files.get(file)?.afterPowerLoss(random);
      if (bytes === undefined) rmSync(path + suffix, { force: true });
      else writeFileSync(path + suffix, bytes);
    }
  }
}

/** Any sectors of the operations: a disk writes them in any order, but those of one place in order. */
function someOf(operations: readonly Operation[], random: () => number): Operation[] {
  const share = random();
  return operations.flatMap(sectorsOf).filter(() => random() < share);
}

function sectorsOf(operation: Operation): Operation[] {
  if (operation.operation !== OPERATION.write) return [operation];
  const { offset, data } = operation;
  const sectors: Operation[] = [];
  for (let at = 0; at < data.length; ) {
    const end = Math.min(data.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
    sectors.push({ ...operation, offset: offset + at, data: data.subarray(at, end) });
    at = end;
  }
  return sectors;
}
