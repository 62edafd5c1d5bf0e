// Publishes the packages of npm in a folder: node scripts/publish-packages.mjs FOLDER. A version can be published only once, so
// one that the registry already has is skipped: after a failure half-way, run it again. The launcher comes after the programs
// that it names.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { say } from "./toolchain.mjs";

const [folder = "."] = process.argv.slice(2);
const files = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
const packages = files.map((name) => read(join(folder, name))).sort((one, two) => one.needs - two.needs);
for (const one of packages) {
  const found = published(one);
  if (found === undefined) publish(one);
  else if (found === one.integrity) say(`${one.id} is published already`);
  else throw new Error(`the registry has another ${one.id}: give this one a new version`);
}

function read(file) {
  const { name, version, optionalDependencies } = JSON.parse(
    execFileSync("tar", ["-xzOf", file, "package/package.json"], { encoding: "utf8" }),
  );
  const integrity = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
  return { file, id: `${name}@${version}`, integrity, needs: Object.keys(optionalDependencies ?? {}).length };
}

/** The integrity of the package in the registry; undefined if there is none. */
function published({ id }) {
  const { status, stdout } = spawnSync("npm", ["view", id, "dist.integrity", "--json"], { encoding: "utf8" });
  if (status === 0) return stdout.trim() === "" ? undefined : JSON.parse(stdout);
  if (stdout.includes('"E404"')) return undefined;
  throw new Error(`the registry cannot be asked for ${id}: ${stdout}`);
}

function publish({ file }) {
  execFileSync("npm", ["publish", "--provenance", "--access", "public", file], { stdio: "inherit" });
}
