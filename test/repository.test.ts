import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { validate } from "dockerfile-utils";
import { environmentName, settings } from "../src/config.ts";

const ROOT = resolve(import.meta.dir, "..");

describe("the packages", () => {
  const lock: { packages: Record<string, { resolved?: string; integrity?: string }> } = JSON.parse(
    read("package-lock.json"),
  );
  const installed = Object.entries(lock.packages).filter(([path]) => path !== "");

  test("are locked by content, at no address", () => {
    const offenders = installed.filter(([, { resolved, integrity }]) => resolved !== undefined || !integrity);
    expect(offenders).toEqual([]);
  });

  test("are locked by npm alone", () => {
    expect(["bun.lock", "bun.lockb", "yarn.lock", "pnpm-lock.yaml"].filter(isThere)).toEqual([]);
  });

  test("have scripts that are there", () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(read("package.json"));
    const files = Object.values(scripts).flatMap((command) => command.match(/\S+\.[jt]s\b|\S+\.mjs\b/g) ?? []);
    expect(files).not.toEqual([]);
    expect(files.filter((file) => !isThere(file))).toEqual([]);
  });
});

/** The largest file is a picture of the dashboard; what is larger was most likely added by mistake. */
const MAX_FILE_BYTES = 512 * 1024;

test("no file of the project is a package, or larger than a picture", () => {
  const listed = Bun.spawnSync(["git", "-c", "safe.directory=*", "ls-files", "-z"], { cwd: ROOT }).stdout.toString();
  // A copy without its repository has nothing to list; the repository itself always has.
  const files = listed.split("\0").filter(Boolean);
  expect(files.length > 0).toBe(isThere(".git"));
  expect(files.filter((file) => /\.(whl|tgz|deb|rpm|zip|gz)$/.test(file))).toEqual([]);
  expect(files.filter((file) => isThere(file) && statSync(join(ROOT, file)).size > MAX_FILE_BYTES)).toEqual([]);
});

describe("the Dockerfile", () => {
  const dockerfile = read("Dockerfile");

  test("is one that Docker accepts", () => {
    expect(validate(dockerfile)).toEqual([]);
  });

  test("copies files that are there and that .dockerignore lets through", () => {
    const sources = [...dockerfile.matchAll(/^COPY (?!--)(.+) \S+$/gm)].flatMap(([, paths]) => paths?.split(" ") ?? []);
    const passed = read(".dockerignore").match(/(?<=^!)\S+$/gm) ?? [];
    expect(sources.toSorted()).toEqual(passed.toSorted());
    expect(sources.filter((path) => !isThere(path))).toEqual([]);
  });

  test("runs a script that is there", () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(read("package.json"));
    const names = [...dockerfile.matchAll(/\bnpm run (\S+)/g)].map(([, name]) => name ?? "");
    expect(names).not.toEqual([]);
    expect(names.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  test("sets variables that the program knows", () => {
    const known = Object.values(settings).map(environmentName);
    const names = dockerfile.match(/\bEVENTBUS_\w+(?==)/g) ?? [];
    expect(names).not.toEqual([]);
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });
});

function isThere(path: string): boolean {
  return existsSync(join(ROOT, path));
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
