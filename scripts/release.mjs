// Compiles the program for every platform into dist/release/, with checksums. Refuses unless the tree is clean, its
// commit has the tag of the version in package.json, and CHANGELOG.md says what is in that version; --dry-run compiles
// all the same. Bun fetches its other builds from the npm registry, once. In Bun 1.4.5 the baseline build, for x64
// without AVX2, is the same file as the other, but people look for it.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile, install, root, say } from "./toolchain.mjs";

const platforms = [
  "linux-x64",
  "linux-x64-baseline",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "windows-x64",
  "windows-arm64",
];

const obstacles = obstaclesToRelease();
for (const obstacle of obstacles) say(`not ready for a release: ${obstacle}`);
if (obstacles.length > 0 && !process.argv.includes("--dry-run")) process.exit(1);
await install();
const folder = join(root, "dist", "release");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
let sums = "";
for (const platform of platforms) {
  const name = `eventbus-${platform}${platform.startsWith("windows") ? ".exe" : ""}`;
  await compile(join(folder, name), `bun-${platform}`);
  const bytes = readFileSync(join(folder, name));
  sums += `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`;
  say(`${name}, ${Math.round(bytes.length / 1e6)} MB`);
}
writeFileSync(join(folder, "SHA256SUMS"), sums);

function obstaclesToRelease() {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const obstacles = [];
  if (git("status", "--porcelain") !== "") obstacles.push("there are changes that are not committed");
  if (!git("tag", "--points-at", "HEAD").split("\n").includes(`v${version}`)) {
    obstacles.push(`the commit has no tag v${version}`);
  }
  if (changesOf(version) === "") obstacles.push(`CHANGELOG.md says nothing under "## ${version}"`);
  return obstacles;
}

/** The text under the heading of a version, which may be followed by a date. */
function changesOf(version) {
  const sections = readFileSync(join(root, "CHANGELOG.md"), "utf8").split(/^## /m);
  const section = sections.find((text) => text.startsWith(`${version}\n`) || text.startsWith(`${version} `));
  return section?.slice(section.indexOf("\n")).trim() ?? "";
}

function git(...args) {
  return execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
}
