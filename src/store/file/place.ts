import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { USER_VERSION_OFFSET } from "./wal.ts";
import { stampIn } from "./wal-tie.ts";

/** Bytes of the file that identify it: up to `user_version`, which holds the stamp of this opening. */
const HEADER_BYTES = USER_VERSION_OFFSET + 4;

/**
 * The place of an open history: what a restart will find under its name. An open file can be removed, moved or replaced
 * without its process noticing, and everything written to it after that is lost with the process.
 */
export class Place {
  readonly #name: string;
  /** Absolute, like `#path`: a restart does not follow the folder of this process to where it is moved. */
  readonly #place: string;
  readonly #path: string;
  readonly #file: string;
  readonly #wal: string | undefined;
  readonly #stamp: number;
  /**
   * Stays open as long as the history, as closing any descriptor of a file releases the lock that SQLite holds on it.
   */
  readonly #descriptor: number;

  /** `name` is what a restart will be given, `path` the file that it leads to. The history MUST be open and stamped. */
  constructor(name: string, path: string) {
    this.#name = name;
    this.#place = resolve(name);
    this.#path = resolve(path);
    this.#descriptor = openSync(path, "r");
    const { dev, ino } = fstatSync(this.#descriptor);
    this.#file = `${dev}:${ino}`;
    this.#wal = identityOf(`${path}-wal`);
    this.#stamp = this.#readStamp();
  }

  /** Why a restart would not find the history; undefined if it would. */
  get loss(): string | undefined {
    if (!this.isIntact) return `${this.#name} was overwritten while it was open: stop the server, and restore a backup`;
    if (identityOf(this.#place) !== this.#file) return this.#displacement;
    if (this.#wal === undefined || identityOf(`${this.#path}-wal`) === this.#wal) return undefined;
    return `${this.#path}-wal was removed or replaced while it was open: stop the server, which saves what was in it`;
  }

  /** Whether the file, wherever it is, still has the contents of this history. */
  get isIntact(): boolean {
    return this.#readStamp() === this.#stamp;
  }

  /** MUST be called after SQLite has closed the file. */
  close(): void {
    closeSync(this.#descriptor);
  }

  get #displacement(): string {
    if (fstatSync(this.#descriptor).nlink > 0) return `${this.#name} was moved while it was open: move it back`;
    return `${this.#name} was removed while it was open: its events are lost when the server stops, so make a backup now`;
  }

  /** The stamp in the file; -1 if it is too short to have one. */
  #readStamp(): number {
    const header = Buffer.alloc(HEADER_BYTES);
    if (readSync(this.#descriptor, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return -1;
    return stampIn(header.readUInt32BE(USER_VERSION_OFFSET));
  }
}

/** Identifies the file that a name leads to; undefined if there is none. */
function identityOf(name: string): string | undefined {
  const stats = statSync(name, { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}
