// What every command of this project needs first: the packages, the pinned Bun, the compiled program.
// Runs on Node 20 and on Bun, and imports nothing that has to be installed.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const exe = process.platform === "win32" ? ".exe" : "";

/** Where `npm run build` puts the program. */
export const program = join(root, "dist", `eventbus${exe}`);
const programStamp = join(root, "dist", ".stamp");
const packagesStamp = join(root, "node_modules", ".stamp");

/** Everything that the compiled program depends on. */
const programInputs = ["src", "package.json", "package-lock.json", "tsconfig.json", "scripts/toolchain.mjs"];

/** Prints to stderr: stdout belongs to the program that is started. */
export function say(words) {
  process.stderr.write(`eventbus: ${words}\n`);
}

/** Installs what package-lock.json says, unless that has been done. Ends the process when it cannot. */
export async function install() {
  const stamp = hash(["package-lock.json"]);
  if (read(packagesStamp) === stamp) return;
  const isNpmThere = spawnSync("npm --version", { shell: true }).status === 0;
  if (!isNpmThere && !process.versions.bun) fail("npm is not there; it comes with Node 20");
  say(`installing packages with ${isNpmThere ? "npm" : "Bun"} …`);
  rmSync(packagesStamp, { force: true });
  endUnlessDone(await (isNpmThere ? npmInstall() : bunInstall()));
  writeFileSync(packagesStamp, stamp);
}

// Neither npm nor Bun needs install scripts: the Bun binary is in its own package. NODE_ENV=production must
// not omit it. Warnings are not shown: they are about the version of Node, and nothing that is installed runs on Node.
function npmInstall() {
  const command = "npm ci --ignore-scripts --include=dev --include=optional --no-audit --no-fund --loglevel=error";
  return run(command, [], { cwd: root, shell: true, stdio: ["ignore", 2, 2] });
}

async function bunInstall() {
  const flags = ["--frozen-lockfile", "--no-save", "--ignore-scripts"];
  const exitCode = await run(process.execPath, ["install", ...flags], { cwd: root, stdio: ["ignore", 2, 2] });
  rmSync(join(root, "bun.lock"), { force: true }); // some versions of Bun write one all the same
  return exitCode;
}

/** The path of the pinned Bun: of those that were installed, the first that this machine can run. */
export function bun() {
  const packages = join(root, "node_modules", "@oven");
  const names = existsSync(packages) ? readdirSync(packages) : [];
  const paths = names.map((name) => join(packages, name, "bin", `bun${exe}`));
  const path = paths.find((path) => spawnSync(path, ["--version"]).status === 0);
  return path ?? fail(`no Bun for ${process.platform} ${process.arch} in node_modules/@oven (${names})`);
}

/** Compiles dist/eventbus, unless nothing has changed since the last time. */
export async function build() {
  const stamp = hash(programInputs);
  if (existsSync(program) && read(programStamp) === stamp) return;
  await install();
  say(`compiling ${relative(root, program)} …`);
  await compile(program);
  writeFileSync(programStamp, stamp);
}

/**
 * Compiles the program into a file, for this machine or for a Bun target such as `bun-linux-arm64`. The file appears
 * whole or not at all, and a running program continues with the old one.
 */
export async function compile(file, target) {
  const folder = join(root, "dist", `.build-${process.pid}`);
  const fresh = join(folder, "eventbus");
  const flags = [
    "--compile",
    "--no-compile-autoload-dotenv", // the program must not obey files of the folder it is started in
    "--no-compile-autoload-bunfig",
    "--format=esm", // bytecode halves the time to start; its default format has no top-level await
    "--bytecode",
    "--sourcemap=inline", // stacks in the log name the files of src/
    '--define=process.env.NODE_ENV="production"',
    `--define=EVENTBUS_COMMIT=${JSON.stringify(commit())}`,
    `--define=EVENTBUS_TARGET=${JSON.stringify(target?.replace("bun-", "") ?? `${process.platform}-${process.arch}`)}`,
    ...(target ? [`--target=${target}`] : []),
  ];
  const args = ["build", ...flags, "src/main.ts", "--outfile", fresh];
  mkdirSync(folder, { recursive: true });
  const exitCode = await run(bun(), args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (exitCode === 0) renameSync(existsSync(fresh) ? fresh : `${fresh}.exe`, file);
  rmSync(folder, { recursive: true, force: true });
  endUnlessDone(exitCode);
}

/** The commit that is built, as the environment or else git says; empty outside of a clone. */
function commit() {
  const { stdout } = spawnSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" });
  return process.env.BUILD_COMMIT || (stdout?.trim() ?? "");
}

/**
 * Runs a command on this terminal and returns its exit code, 128 + n if signal n ended it. Signals are passed on, so
 * that the command can end in its own way, but not a Ctrl-C, which it gets from the terminal itself.
 */
export function run(command, args, options) {
  const child = spawn(command, args, { stdio: "inherit", ...options });
  const passOn = (signal) => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, passOn);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  }).finally(() => {
    for (const signal of signals) process.off(signal, passOn);
  });
}

/** Ends the process with the exit code of a command that failed, which has reported why. */
function endUnlessDone(exitCode) {
  if (exitCode !== 0) process.exit(exitCode);
}

function fail(words) {
  say(words);
  process.exit(1);
}

function read(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** One hash over files and folders of the project, and over the kind of machine. */
function hash(paths) {
  const sum = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
  for (const path of paths.flatMap(filesIn)) sum.update(`${path}\n`).update(readFileSync(join(root, path)));
  return sum.digest("hex");
}

function filesIn(path) {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .sort()
    .flatMap((name) => filesIn(`${path}/${name}`));
}
