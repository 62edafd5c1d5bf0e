import { test } from "bun:test";
import { leaveOut } from "./requires.ts";
import { TempFolder } from "./temp.ts";

/** A file system in memory that takes some megabytes. */
export class SmallDisk implements Disposable {
  readonly #folder = new TempFolder();

  constructor(megabytes: number) {
    if (!mount(this.#folder.path, megabytes)) throw new Error("the file system cannot be mounted");
  }

  get folder(): string {
    return this.#folder.path;
  }

  file(name = "history.db"): string {
    return this.#folder.file(name);
  }

  [Symbol.dispose](): void {
    succeeds("umount", this.#folder.path);
    this.#folder[Symbol.dispose]();
  }
}

/** A test on a disk of its own. Where no file system can be mounted, it is skipped, and that is reported. */
export function testOnSmallDisk(megabytes: number, name: string, body: (disk: SmallDisk) => Promise<void>): void {
  const run = async () => {
    using disk = new SmallDisk(megabytes);
    await body(disk);
  };
  if (canMount()) test(name, run);
  else leaveOut(name, "the right to mount a file system");
}

function canMount(): boolean {
  using folder = new TempFolder();
  return mount(folder.path, 1) && succeeds("umount", folder.path);
}

function mount(path: string, megabytes: number): boolean {
  return succeeds("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path);
}

function succeeds(...command: string[]): boolean {
  return Bun.which(command[0] ?? "") !== null && Bun.spawnSync(command).success;
}
