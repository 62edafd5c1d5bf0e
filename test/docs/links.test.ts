import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { anchorsOf, linksOf } from "../helpers/markdown.ts";

const ROOT = resolve(import.meta.dir, "../..");
const pages = ["README.md", "CHANGELOG.md", ...new Bun.Glob("{docs,bench,examples}/**/*.md").scanSync(ROOT)].toSorted();

describe("the documentation", () => {
  test.each(pages)("%s has no link that leads nowhere", (page) => {
    const relatives = linksOf(read(page)).filter((link) => !/^\w+:/.test(link));
    expect(relatives.filter((link) => !leadsSomewhere(page, link))).toEqual([]);
  });

  test("can be reached from the README, every page", () => {
    const reached = new Set<string>();
    const visit = (page: string): void => {
      if (reached.has(page)) return;
      reached.add(page);
      for (const link of linksOf(read(page))) if (pages.includes(targetOf(page, link))) visit(targetOf(page, link));
    };
    visit("README.md");
    expect(pages.filter((page) => page.startsWith("docs/") && !reached.has(page))).toEqual([]);
  });

  test("says of every promise which test shows it", () => {
    const rows = read("docs/guarantees.md").match(/^\| (?!promise|---).*$/gm) ?? [];
    expect(rows.length).toBeGreaterThan(15);
    for (const row of rows) expect(row).toMatch(/the same|the contract|\.test\.ts|npm run bench/);
  });

  test.each(["docs/guarantees.md", "docs/security.md", "docs/security-owasp.md"])(
    "%s names tests that exist",
    (page) => {
      const named = [...read(page).matchAll(/`(\w[\w-]*\.test\.ts)`/g)].map(([, name = ""]) => name);
      const tests = [...new Bun.Glob("test/**/*.test.ts").scanSync(ROOT)].map((path) => path.replace(/.*\//, ""));
      expect(named.length).toBeGreaterThan(10);
      expect(named.filter((name) => !tests.includes(name))).toEqual([]);
    },
  );

  test("says of every point of OWASP which test shows the answer, or what is not done", () => {
    const tables = read("docs/security-owasp.md");
    const rows = tables.match(/^\| (?!recommendation|---).*$/gm) ?? [];
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter((row) => !/\.test\.ts|\*\*Not done|Nothing/.test(row))).toEqual([]);
  });
});

function leadsSomewhere(page: string, link: string): boolean {
  const path = targetOf(page, link);
  if (!existsSync(join(ROOT, path))) return false;
  const [, anchor] = link.split("#");
  if (anchor === undefined || statSync(join(ROOT, path)).isDirectory()) return true;
  return anchorsOf(read(path)).has(decodeURIComponent(anchor));
}

/** The path of what a link of a page names, from the root. */
function targetOf(page: string, link: string): string {
  const [path = ""] = link.split("#");
  return path === "" ? page : relative(ROOT, resolve(ROOT, dirname(page), decodeURIComponent(path)));
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
