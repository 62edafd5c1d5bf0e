import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describeWith } from "./helpers/requires.ts";
import { TempFolder } from "./helpers/temp.ts";

const ROOT = resolve(import.meta.dir, "..");

/** A checkout with one commit of the release script, a version and these changes. */
function checkoutWith(folder: string, changes: string): void {
  mkdirSync(join(folder, "scripts"));
  for (const name of ["release.mjs", "toolchain.mjs"]) {
    copyFileSync(join(ROOT, "scripts", name), join(folder, "scripts", name));
  }
  writeFileSync(join(folder, "package.json"), '{"version":"1.2.3","type":"module"}');
  writeFileSync(join(folder, "CHANGELOG.md"), changes);
  git(folder, "init", "--quiet");
  git(folder, "add", ".");
  git(folder, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message=first");
}

function git(folder: string, ...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["git", ...args], { cwd: folder });
  if (exitCode !== 0) throw new Error(stderr.toString());
}

/** The reasons that the release script gives, and its exit code. */
function release(folder: string): { code: number; words: string } {
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, "scripts/release.mjs"], { cwd: folder });
  return { code: exitCode, words: stderr.toString() };
}

const CHANGES = "# Changes\n\n## 1.2.3 - 2026-12-01\n\n* All of it.\n";

describeWith("git", "a release", () => {
  test.each([
    ["an unclean tree", CHANGES, (folder: string) => writeFileSync(join(folder, "new"), ""), "not committed"],
    ["a missing tag", CHANGES, () => {}, "no tag v1.2.3"],
    ["an empty changelog", "# Changes\n\n## 1.2.3\n\n## 1.2.2\n\n* Old.\n", () => {}, 'nothing under "## 1.2.3"'],
    ["a changelog of other versions", "# Changes\n\n## 1.2.30\n\n* Other.\n", () => {}, 'nothing under "## 1.2.3"'],
  ])("is refused for %s", (_, changes, prepare, reason) => {
    using folder = new TempFolder();
    checkoutWith(folder.path, changes);
    prepare(folder.path);
    const { code, words } = release(folder.path);
    expect([code, words]).toEqual([1, expect.stringContaining(reason)]);
  });
});
