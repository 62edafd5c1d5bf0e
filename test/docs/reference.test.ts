import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cliPage } from "../../scripts/cli-page.ts";
import { errorsPage } from "../../scripts/errors-page.ts";
import { problems } from "../../src/protocol/problem.ts";

const REFERENCE = join(import.meta.dir, "../../docs/reference");

test("the page of the command line is what the commands say now: if not, run `npm run docs`", () => {
  expect(readFileSync(join(REFERENCE, "cli.md"), "utf8")).toBe(cliPage());
});

describe("the page of errors", () => {
  const page = readFileSync(join(REFERENCE, "errors.md"), "utf8");

  test("is what the code says now: if not, run `npm run docs`", () => {
    expect(page).toBe(errorsPage());
  });

  test("has every code, with a remedy", () => {
    const sections = page.split(/^## /m).slice(1);
    expect(sections.map((section) => section.split("\n", 1)[0] ?? "")).toEqual(Object.keys(problems));
    for (const section of sections) expect(section).toMatch(/^\d{3}\. [A-Z`].+\n\n\*\*Remedy\.\*\* .{20,}/m);
  });
});
