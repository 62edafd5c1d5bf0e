import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of its own for one test; it goes, with all that is in it, when it is disposed of. */
export class TempFolder implements Disposable {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), "eventbus-test-")));

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

function hashOf(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}
