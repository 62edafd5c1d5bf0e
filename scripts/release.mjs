// Compiles the program for every platform into dist/release/, with checksums. Bun fetches its other builds from the npm
// registry, once. In Bun 1.4.5 the baseline build, for x64 without AVX2, is the same file as the other; people look for it.
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
