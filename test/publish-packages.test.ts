import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { childEnvironment } from "../src/config.ts";
import { TempFolder } from "./helpers/temp.ts";

const SCRIPT = resolve(import.meta.dir, "../scripts/publish-packages.mjs");

/** Stands in for npm: a registry that is a file, and that fails to publish the package named in the file `broken`. */
const NPM = `#!/usr/bin/env node
const { execFileSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
process.chdir(__dirname);
const registry = existsSync("registry") ? JSON.parse(readFileSync("registry", "utf8")) : {};
const [command, id] = process.argv.slice(2);
if (command === "view") {
  console.log(JSON.stringify(registry[id] ?? { error: { code: "E404" } }));
  process.exit(id in registry ? 0 : 1);
}
const file = process.argv.at(-1);
const { name, version } = JSON.parse(execFileSync("tar", ["-xzOf", file, "package/package.json"]));
if (existsSync("broken") && readFileSync("broken", "utf8") === name) process.exit(1);
registry[name + "@" + version] = "sha512-" + createHash("sha512").update(readFileSync(file)).digest("base64");
writeFileSync("registry", JSON.stringify(registry));
`;

/** Three packages, of which the launcher is the first by name. */
function packed(): TempFolder {
  const folder = new TempFolder();
  mkdirSync(folder.file("bin"));
  writeFileSync(folder.file("bin/npm"), NPM, { mode: 0o755 });
  pack(folder, "a-cli", { optionalDependencies: { "b-linux": "1.0.0" } });
  pack(folder, "b-linux");
  pack(folder, "c-client");
  return folder;
}

function pack(folder: TempFolder, name: string, more: object = {}): void {
  mkdirSync(folder.file("package"), { recursive: true });
  writeFileSync(folder.file("package/package.json"), JSON.stringify({ name, version: "1.0.0", ...more }));
  const made = Bun.spawnSync(["tar", "-czf", `${name}.tgz`, "package"], { cwd: folder.path });
  expect(made.exitCode).toBe(0);
}

/** Whether the script succeeded, its words, and the packages that the registry has afterwards. */
function publish(folder: TempFolder) {
  const env = childEnvironment({ PATH: `${folder.file("bin")}:${process.env["PATH"]}` });
  const { success, stderr } = Bun.spawnSync(["node", SCRIPT, folder.path], { env });
  const registry = folder.file("bin/registry");
  const ids = existsSync(registry) ? Object.keys(JSON.parse(readFileSync(registry, "utf8"))) : [];
  return { success, words: stderr.toString(), ids };
}

describe.skipIf(Bun.which("node") === null)("publishing the packages for npm", () => {
  const IDS = ["b-linux@1.0.0", "c-client@1.0.0", "a-cli@1.0.0"];

  test("leaves the launcher for the end", () => {
    using folder = packed();
    expect(publish(folder)).toMatchObject({ success: true, ids: IDS });
  });

  test("can be repeated after it failed half-way, and when it is complete", () => {
    using folder = packed();
    writeFileSync(folder.file("bin/broken"), "c-client");
    expect(publish(folder)).toMatchObject({ success: false, ids: IDS.slice(0, 1) });
    writeFileSync(folder.file("bin/broken"), "");
    for (let times = 1; times <= 2; times++) {
      const words = expect.stringContaining("b-linux@1.0.0 is published already");
      expect(publish(folder)).toEqual({ success: true, words, ids: IDS });
    }
  });

  test("is refused when the registry has another file of this version", () => {
    using folder = packed();
    expect(publish(folder)).toMatchObject({ success: true });
    pack(folder, "c-client", { description: "changed" });
    expect(publish(folder)).toMatchObject({ success: false, words: expect.stringContaining("has another c-client") });
  });
});
