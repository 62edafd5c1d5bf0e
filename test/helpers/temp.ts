import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const DISK = tmpdir();
/** On some machines an fsync takes a tenth of a second, and most tests wait for many of them. */
const MEMORY = "/dev/shm";
/** Several times what the largest test writes. In a container it may have only 64 MiB. */
const MIN_FREE_BYTES = 4 * 1024 ** 3;

/**
 * A folder of its own for one test, in a file system in memory if there is a large one; `onDisk` where the disk is what
 * is tested. It is removed, with all that is in it, when it is disposed of.
 */
export class TempFolder implements Disposable {
  readonly path: string;

  constructor(parent = hasRoom(MEMORY) ? MEMORY : DISK) {
    this.path = realpathSync(mkdtempSync(join(parent, "eventbus-test-")));
  }

  static onDisk(): TempFolder {
    return new TempFolder(DISK);
  }

  /** The path of a file in it. */
  file(name = "history.db"): string {
    return join(this.path, name);
  }

  /** Every file in it and the hash of what it holds, to see that nothing was touched. */
  fingerprint(): Record<string, string> {
    const names = readdirSync(this.path).sort();
    return Object.fromEntries(names.map((name) => [name, hashOf(readFileSync(join(this.path, name)))]));
  }

  /** Copies a database as a kill of its process would leave it, with its write-ahead log. */
  copyDatabase(from: string, to: string): string {
    for (const suffix of ["", "-wal"]) {
      rmSync(this.file(to) + suffix, { force: true });
      if (existsSync(from + suffix)) copyFileSync(from + suffix, this.file(to) + suffix);
    }
    return this.file(to);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

function hasRoom(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize >= MIN_FREE_BYTES;
}

function hashOf(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}
