import { type FileHandle, open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BusError } from "../../bus/errors.ts";

/** Bytes read from the disk at a time. */
const READ_BYTES = 256 * 1024;
/** Free space that must remain besides the copy, in bytes, as publishing continues. */
const SPARE_BYTES = 64 * 1024 * 1024;

/** A copy of the history in an unlinked file: the operating system frees it when it is closed or the process ends. */
export class BackupFile implements AsyncDisposable {
  readonly size: number;
  readonly #handle: FileHandle;
  readonly #path: string;
  #position = 0;
  #disposed: Promise<void> | undefined;

  /**
   * Makes the copy beside the history, on a disk that has space for `bytes`, and unlinks it. Throws `storage_full`, and
   * makes nothing, if the copy would take the space that publishing needs.
   */
  static async make(history: string, bytes: number, copy: (path: string) => Promise<void>): Promise<BackupFile> {
    const path = history === ":memory:" ? join(tmpdir(), `eventbus-backup-${process.pid}`) : `${history}-backup`;
    await rm(path, { force: true });
    const handle = await open(path, "w+", 0o600);
    try {
      await requireSpace(path, bytes);
      const copied = copy(path);
      copied.catch(() => {}); // it is awaited below
      // The copy has opened it by now. If an open file cannot be removed, closing it does.
      await rm(path, { force: true }).catch(() => {});
      await copied;
      return new BackupFile(handle, path, (await handle.stat()).size);
    } catch (error) {
      await handle.close();
      await rm(path, { force: true });
      throw error;
    }
  }

  private constructor(handle: FileHandle, path: string, size: number) {
    this.#handle = handle;
    this.#path = path;
    this.size = size;
  }

  /** The next bytes; empty at the end. */
  async read(): Promise<Uint8Array<ArrayBuffer>> {
    const buffer = new Uint8Array(READ_BYTES);
    const { bytesRead } = await this.#handle.read(buffer, 0, READ_BYTES, this.#position);
    this.#position += bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  /** Frees the file. May be called twice. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await rm(this.#path, { force: true });
  }
}

async function requireSpace(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize >= bytes + SPARE_BYTES) return;
  const needed = Math.ceil((bytes + SPARE_BYTES) / 2 ** 20);
  throw new BusError("storage_full", `a backup needs ${needed} MiB of free space on the disk of the history`);
}
