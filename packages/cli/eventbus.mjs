#!/usr/bin/env node
// Runs the program of this platform, which npm has installed as an optional dependency. Nothing is downloaded here.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const { name, optionalDependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}${isMusl() ? "-musl" : ""}`;
const child = spawn(programOf(`${name}-${platform}`), process.argv.slice(2), { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => fail(error.message));
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));

function programOf(dependency) {
  const file = `eventbus${process.platform === "win32" ? ".exe" : ""}`;
  try {
    return createRequire(fileURLToPath(import.meta.url)).resolve(`${dependency}/${file}`);
  } catch {
    const platforms = Object.keys(optionalDependencies).map((one) => one.slice(name.length + 1));
    return fail(
      platforms.includes(platform)
        ? `${dependency} is missing: npm was told to leave out optional dependencies, or this folder was copied from another platform`
        : `there is no program for ${platform}, only for ${platforms.join(", ")}`,
    );
  }
}

function fail(words) {
  process.stderr.write(`eventbus: ${words}\n`);
  process.exit(1);
}

/** Whether the C library is musl, as on Alpine. */
function isMusl() {
  return process.platform === "linux" && process.report.getReport().header.glibcVersionRuntime === undefined;
}
