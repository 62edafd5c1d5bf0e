import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { childEnvironment } from "../src/config.ts";
import { describeWith } from "./helpers/requires.ts";
import { TempFolder } from "./helpers/temp.ts";

const ROOT = resolve(import.meta.dir, "..");
const MADE = join(ROOT, "dist/linux");
/** Packing a program of 100 MB takes its time on a small machine. */
const SLOW_MS = 180_000;

const INSTALLED = [
  "etc/eventbus/eventbus.toml",
  "usr/bin/eventbus",
  "usr/lib/systemd/system/eventbus.service",
  "usr/share/bash-completion/completions/eventbus",
  "usr/share/man/man1/eventbus.1.gz",
];

describeWith("nfpm", "the packages for Linux", (nfpm) => {
  const folder = new TempFolder();
  beforeAll(() => {
    const env = childEnvironment({ NFPM_PATH: nfpm });
    const { exitCode, stderr } = Bun.spawnSync(["node", join(ROOT, "scripts/linux-packages.mjs")], { env });
    if (exitCode !== 0) throw new Error(stderr.toString());
  }, SLOW_MS);
  afterAll(() => folder[Symbol.dispose]());

  const made = (end: string) => join(MADE, readdirSync(MADE).find((name) => name.endsWith(end)) ?? end);
  const run = (...command: string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync(command);
    return { exitCode, text: stdout.toString() + stderr.toString() };
  };
  const filesIn = (root: string) =>
    readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) => INSTALLED.includes(path));

  test.skipIf(Bun.which("dpkg") === null)(
    "a .deb is installed, runs, and is removed",
    () => {
      const root = folder.file("debian");
      for (const part of ["updates", "info"]) mkdirSync(join(root, "var/lib/dpkg", part), { recursive: true });
      writeFileSync(join(root, "var/lib/dpkg/status"), "");
      const dpkg = (...args: string[]) => run("dpkg", `--root=${root}`, "--force-depends", ...args);
      expect(dpkg("--install", made(".deb"))).toMatchObject({ exitCode: 0 });
      expect(filesIn(root).toSorted()).toEqual(INSTALLED);
      expect(run(join(root, "usr/bin/eventbus"), "version").exitCode).toBe(0);
      const settings = ["serve", "--config", join(root, "etc/eventbus/eventbus.toml"), "--print-config"];
      expect(run(join(root, "usr/bin/eventbus"), ...settings).exitCode).toBe(0);
      const unit = readFileSync(join(root, "usr/lib/systemd/system/eventbus.service"), "utf8");
      expect(unit).toMatch(/^LoadCredential=eventbus\.toml:/m);
      expect(dpkg("--purge", "eventbus")).toMatchObject({ exitCode: 0 });
      expect(filesIn(root)).toEqual([]);
    },
    SLOW_MS,
  );

  test.skipIf(Bun.which("rpm") === null)(
    "an .rpm has the same files",
    () => {
      const { exitCode, text } = run("rpm", "--query", "--list", "--package", made(".rpm"));
      expect(exitCode).toBe(0);
      for (const path of INSTALLED) expect(text).toContain(`/${path}\n`);
    },
    SLOW_MS,
  );
});
