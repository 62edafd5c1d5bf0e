// Runs the commands of .github/workflows/release.yml on this machine, as far as they can be run here: the jobs that build and
// that smoke-test this machine's program, step by step, in a clone whose commit has the tag of the version. Steps that use
// actions, sign, or need a program that is not installed are named and skipped. An argument is a folder to keep the clone in.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bun, install, root, run, say } from "./toolchain.mjs";

// Bun reads YAML, and Node does not.
if (!process.versions.bun) {
  await install();
  process.exit(await run(bun(), [fileURLToPath(import.meta.url), ...process.argv.slice(2)]));
}

/** Programs that steps need, by a word in the step. */
const NEEDED = ["go", "docker", "cosign"];

const [kept] = process.argv.slice(2);
const folder = kept ?? mkdtempSync(join(tmpdir(), "eventbus-release-"));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const { jobs } = Bun.YAML.parse(readFileSync(join(root, ".github/workflows/release.yml"), "utf8"));
const expressions = {
  "github.server_url": "https://github.com",
  "github.repository": "example/eventbus",
  "github.ref_name": `v${version}`,
  "matrix.program": "eventbus-linux-x64-baseline",
};
const env = { ...process.env, GITHUB_SERVER_URL: "https://github.com", GITHUB_REPOSITORY: "example/eventbus" };

try {
  if (!existsSync(join(folder, ".git"))) command("git", "clone", "--quiet", root, folder);
  command("git", "-C", folder, "tag", "--force", `v${version}`);
  for (const step of jobs.build.steps) perform(step, folder);
  say(`made ${readdirSync(join(folder, "dist/release")).join(" ")}`);
  // An artifact is unpacked into the folder of the next job.
  for (const step of jobs.smoke.steps) perform(step, join(folder, "dist"));
} finally {
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}

function perform(step, cwd) {
  const title = step.name ?? step.run ?? step.uses;
  const missing = NEEDED.find((name) => new RegExp(`\\b${name}\\b`).test(step.run ?? "") && !canRun(name));
  if (step.run === undefined || missing !== undefined) {
    say(`skipped: ${title}${missing === undefined ? "" : ` (needs ${missing})`}`);
    return;
  }
  say(`running: ${title}`);
  const own = Object.entries(step.env ?? {}).map(([name, value]) => [name, filled(String(value))]);
  const flags = ["--noprofile", "--norc", "-eo", "pipefail", "-c", filled(step.run)];
  const { status } = spawnSync("bash", flags, { cwd, env: { ...env, ...Object.fromEntries(own) }, stdio: "inherit" });
  if (status !== 0) throw new Error(`"${title}" ended with ${status}`);
}

/** The text with the expressions of the workflow replaced. */
function filled(text) {
  return text.replaceAll(/\$\{\{ ([\w.]+) \}\}/g, (_, name) => expressions[name] ?? fail(name));
}

function fail(name) {
  throw new Error(`what is ${name} here?`);
}

/** docker without a daemon builds nothing. */
function canRun(name) {
  return Bun.which(name) !== null && (name !== "docker" || spawnSync("docker", ["info"]).status === 0);
}

function command(...words) {
  const { status } = spawnSync(words[0], words.slice(1), { stdio: "inherit" });
  if (status !== 0) throw new Error(`${words.join(" ")} ended with ${status}`);
}
