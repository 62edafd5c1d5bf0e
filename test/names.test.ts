import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { GO_MODULE, NPM_SCOPE, PYTHON_PACKAGE } from "../scripts/names.mjs";

const ROOT = resolve(import.meta.dir, "..");
const FOLDERS = ["docs", "packages", "examples", "clients", "src", "test"];
const TEXTS = new Bun.Glob("**/*.{md,ts,tsx,go,mod,toml}");

/** Everything that matches in a text of the project, with the file's name. */
function mentionsOf(pattern: RegExp): string[] {
  const names = FOLDERS.flatMap((folder) => [...TEXTS.scanSync(join(ROOT, folder))].map((name) => `${folder}/${name}`));
  return ["README.md", "CHANGELOG.md", ...names]
    .filter((name) => name !== "test/names.test.ts")
    .flatMap((name) => [...read(name).matchAll(pattern)].map(([mention]) => `${name}: ${mention}`));
}

describe("names that belong to whoever releases are the same everywhere:", () => {
  test.each([
    ["the scope on npm", /@[a-z0-9-]+\/(?=(cli|client)\b)/g, `${NPM_SCOPE}/`],
    ["the module for Go", /(?<=^module |^require |^replace |eventbus ")[\w.]+\/[\w./]*client\b/gm, GO_MODULE],
    ["the package for Python", /(?<=^name = ").*(?=")/gm, PYTHON_PACKAGE],
  ])("%s", (_, pattern, name) => {
    const mentions = mentionsOf(pattern);
    expect(mentions.length).toBeGreaterThan(0);
    expect(mentions.filter((mention) => !mention.endsWith(`: ${name}`))).toEqual([]);
  });

  test("the version", () => {
    const { version } = JSON.parse(read("package.json")) as { version: string };
    expect(read("Dockerfile")).toContain(`image.version="${version}"`);
    expect(read("clients/python/pyproject.toml")).toContain(`version = "${version}"`);
  });
});

function read(name: string): string {
  return readFileSync(join(ROOT, name), "utf8");
}
