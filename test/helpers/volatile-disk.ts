import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { TempFolder } from "./temp.ts";

const SIZE_BYTES = 256 * 2 ** 20;
/** The file system writes its journal at least this often, in seconds: seldom enough that only an fsync writes it. */
const COMMIT_SECONDS = 300;

/** Whether this user may mount a disk, as only root may. */
export const canMount = process.getuid?.() === 0 && ["mkfs.ext4", "mount", "umount"].every((name) => Bun.which(name));

/**
 * A disk that can lose its power: then everything written and not synced is gone. It is an image in a file: what
 * the file has is what has reached the disk, and what the kernel still holds back is not in it.
 */
export class VolatileDisk implements Disposable {
  readonly #own = TempFolder.onDisk();
  readonly #image = this.#own.file("disk.img");
  /** Where it is mounted. */
  readonly path = this.#own.file("mounted");

  constructor() {
    mkdirSync(this.path);
    writeFileSync(this.#image, "");
    truncateSync(this.#image, SIZE_BYTES);
    command("mkfs.ext4", "-q", "-F", this.#image);
    this.#mount();
  }

  /**
   * Loses what was not synced. `meanwhile` ends the processes that use the disk; they MUST be frozen when this is called.
   */
  async cutPower(meanwhile: () => Promise<void>): Promise<void> {
    const after = `${this.#image}.after`;
    copyFileSync(this.#image, after);
    await meanwhile();
    command("umount", this.path);
    copyFileSync(after, this.#image);
    this.#mount();
  }

  [Symbol.dispose](): void {
    command("umount", "--lazy", this.path);
    this.#own[Symbol.dispose]();
  }

  #mount(): void {
    command("mount", "-o", `loop,commit=${COMMIT_SECONDS}`, this.#image, this.path);
  }
}

function command(...words: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(words);
  if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
}
