// Looks at the packages that the program is made of: how they are pinned and locked, their licences, their install
// scripts; and, if the registry responds, whether they have known vulnerabilities. Fails when something is wrong. With
// --write it rewrites THIRD_PARTY_LICENSES. Run it with Node or Bun, after the packages are installed.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { install, root, say } from "./toolchain.mjs";

/** Licences that require no more than a notice; OFL-1.1 also forbids selling its fonts by themselves. */
const LICENCES = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "(MIT OR CC0-1.0)",
  "OFL-1.1",
  "Unlicense",
];
/** Production packages with an install script, and why they may have one. */
const INSTALL_SCRIPTS = {
  "@scarf/scarf":
    "counts installations of swagger-ui-dist; every install of this project leaves scripts out, nothing imports it",
};
const SEVERITIES = ["high", "critical"];
const NOTICES = "THIRD_PARTY_LICENSES";
/** How long the registry may take, in milliseconds. */
const REGISTRY_MS = 30_000;

/** What is wrong with these two files, in words; empty when nothing is. */
export function faultsOf(manifest, lock) {
  const faults = [];
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) faults.push(`${name} is not pinned: ${version}`);
    }
  }
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === "") continue;
    const name = nameOf(path);
    if (entry.resolved !== undefined) faults.push(`${name} is locked to the address ${entry.resolved}`);
    if (!/^sha512-/.test(entry.integrity ?? "")) faults.push(`${name} is locked without a SHA-512`);
    if (!isProduction(entry)) continue;
    if (!LICENCES.includes(entry.license))
      faults.push(`${name} has the licence ${entry.license}, which is not in the list of allowed ones`);
    if (entry.hasInstallScript && !INSTALL_SCRIPTS[name]) faults.push(`${name} has an install script`);
  }
  return faults;
}

/** What the output of `npm audit --json` says: faults, or why there was no audit. */
export function verdictOf(text) {
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    return { notAudited: "npm answers with what is no JSON" };
  }
  if (typeof answer?.vulnerabilities !== "object")
    return { notAudited: answer?.message ?? "npm answers with no audit" };
  const known = Object.values(answer.vulnerabilities).filter(({ severity }) => SEVERITIES.includes(severity));
  return { faults: known.map(({ name, severity, range }) => `${name} ${range} has a vulnerability: ${severity}`) };
}

/** Every production package with its licence, by name and as a text. */
export function noticesOf(lock, folder) {
  const names = Object.entries(lock.packages).filter(
    ([path, entry]) => path !== "" && isProduction(entry) && !entry.optional,
  );
  const parts = names.map(([path, { version, license }]) => {
    const text = licenceText(join(folder, path)) ?? "(The package holds no text of it.)";
    return `${nameOf(path)} ${version}\nLicence: ${license}\n\n${text.trim()}\n`;
  });
  const rule = `\n${"─".repeat(80)}\n\n`;
  return `eventbus is made of these packages, and of Bun (https://bun.com), which is under the MIT licence.\n${rule}${parts.join(rule)}`;
}

function isProduction(entry) {
  return !entry.dev && !entry.devOptional;
}

function nameOf(path) {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

function licenceText(folder) {
  const name =
    existsSync(folder) && readdirSync(folder).find((one) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(one));
  return name ? readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n") : undefined;
}

async function main() {
  await install();
  const read = (name) => readFileSync(join(root, name), "utf8");
  const lock = JSON.parse(read("package-lock.json"));
  const faults = faultsOf(JSON.parse(read("package.json")), lock);
  const notices = noticesOf(lock, root);
  if (process.argv.includes("--write")) writeFileSync(join(root, NOTICES), notices);
  else if (read(NOTICES) !== notices) faults.push(`${NOTICES} is out of date: node scripts/audit.mjs --write`);
  const { faults: known = [], notAudited } = verdictOf(npm("audit", "--omit=dev", "--json").stdout);
  faults.push(...known);
  if (notAudited) warn(`NOT AUDITED: the registry tells no vulnerabilities (${notAudited})`);
  const signatures = npm("audit", "signatures");
  if (/invalid (registry )?(signature|attestation)/.test(signatures.stdout)) faults.push(lastLine(signatures));
  else if (signatures.status !== 0) warn(`SIGNATURES NOT VERIFIED: ${lastLine(signatures)}`);
  for (const fault of faults) say(fault);
  say(faults.length === 0 ? "the packages are in order" : `${faults.length} things are wrong with the packages`);
  return faults.length === 0 ? 0 : 1;
}

function npm(...args) {
  const { status, stdout, stderr } = spawnSync("npm", args, {
    cwd: root,
    encoding: "utf8",
    timeout: REGISTRY_MS,
    shell: process.platform === "win32",
  });
  return { status, stdout: stdout ?? "", stderr: stderr ?? "" };
}

function lastLine({ stdout, stderr }) {
  const lines = `${stdout}\n${stderr}`
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.includes("complete log"));
  return lines.at(-1) ?? "npm does not answer";
}

function warn(words) {
  const rule = "─".repeat(100);
  process.stderr.write(`${rule}\n${words}\n${rule}\n`);
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) process.exit(await main());
