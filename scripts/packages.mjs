// Makes the packages for npm in dist/packages/, a folder each, and packs them: the client, the launcher of the program,
// and the program for each platform, from what `npm run release` has compiled. With --local, the only platform is this
// one, and its program is dist/eventbus: the tests install that.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildClient } from "./build-client.mjs";
import { NPM_SCOPE } from "./names.mjs";
import { build, program, root, say } from "./toolchain.mjs";

const CLI = `${NPM_SCOPE}/cli`;

/** What npm calls a platform, and what is compiled for it: for x64 the build that needs no AVX2. */
const platforms = [
  { name: "linux-x64", os: "linux", cpu: "x64", libc: "glibc", build: "linux-x64-baseline" },
  { name: "linux-arm64", os: "linux", cpu: "arm64", libc: "glibc", build: "linux-arm64" },
  { name: "linux-x64-musl", os: "linux", cpu: "x64", libc: "musl", build: "linux-x64-musl" },
  { name: "linux-arm64-musl", os: "linux", cpu: "arm64", libc: "musl", build: "linux-arm64-musl" },
  { name: "darwin-x64", os: "darwin", cpu: "x64", build: "darwin-x64" },
  { name: "darwin-arm64", os: "darwin", cpu: "arm64", build: "darwin-arm64" },
  { name: "windows-x64", os: "win32", cpu: "x64", build: "windows-x64" },
  { name: "windows-arm64", os: "win32", cpu: "arm64", build: "windows-arm64" },
];

const { version, license, description } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const common = { version, license, type: "module", ...repository() };
const isLocal = process.argv.includes("--local");
const folder = join(root, "dist", "packages");

rmSync(folder, { recursive: true, force: true });
if (isLocal) await build();
const made = [client(), launcher(), ...(isLocal ? [localProgram()] : platforms.map(programOf))];
for (const name of made) pack(name);

/** npm accepts a package with a provenance only if the package names the repository that the provenance names. */
function repository() {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY } = process.env;
  if (!GITHUB_REPOSITORY) return {};
  return { repository: { type: "git", url: `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git` } };
}

function client() {
  const target = start("client", {
    name: `${NPM_SCOPE}/client`,
    ...common,
    description: "The client of eventbus, for browsers, Node, Bun and Deno.",
    sideEffects: false,
    engines: { node: ">=20" },
    exports: { ".": { types: "./types/client/index.d.ts", default: "./index.js" }, "./package.json": "./package.json" },
    types: "./types/client/index.d.ts",
  });
  const built = join(root, "dist", "client");
  buildClient(built);
  cpSync(built, target, { recursive: true });
  copyFileSync(join(root, "packages", "client", "README.md"), join(target, "README.md"));
  return "client";
}

/** Without an install script: npm chooses the program by the fields of the packages. */
function launcher() {
  const target = start("cli", {
    name: CLI,
    ...common,
    description,
    engines: { node: ">=20" },
    bin: { eventbus: "./eventbus.mjs" },
    optionalDependencies: Object.fromEntries(platforms.map(({ name }) => [`${CLI}-${name}`, version])),
  });
  cpSync(join(root, "packages", "cli"), target, { recursive: true });
  return "cli";
}

function programOf({ name, os, cpu, libc, build: built }) {
  const exe = os === "win32" ? ".exe" : "";
  const source = join(root, "dist", "release", `eventbus-${built}${exe}`);
  if (!existsSync(source)) throw new Error(`${source} is missing: run npm run release first`);
  return programPackage(name, source, exe, { os: [os], cpu: [cpu], ...(libc ? { libc: [libc] } : {}) });
}

function localProgram() {
  const here = platforms.find(({ os, cpu }) => os === process.platform && cpu === process.arch);
  return programPackage(here.name, program, process.platform === "win32" ? ".exe" : "", {});
}

function programPackage(name, source, exe, fields) {
  const target = start(`cli-${name}`, {
    name: `${CLI}-${name}`,
    ...common,
    description: `eventbus for ${name}`,
    ...fields,
  });
  copyFileSync(source, join(target, `eventbus${exe}`));
  chmodSync(join(target, `eventbus${exe}`), 0o755);
  copyFileSync(join(root, "THIRD_PARTY_LICENSES"), join(target, "THIRD_PARTY_LICENSES"));
  writeFileSync(join(target, "README.md"), `The program of \`${CLI}\` for ${name}: install that one.\n`);
  return `cli-${name}`;
}

function start(name, manifest) {
  const target = join(folder, name);
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  copyFileSync(join(root, "LICENSE"), join(target, "LICENSE"));
  return target;
}

function pack(name) {
  execFileSync("npm", ["pack", "--silent", join(folder, name)], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  say(`packed ${name}`);
}
