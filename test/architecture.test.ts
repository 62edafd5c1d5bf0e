import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";

const SOURCE = resolve(import.meta.dir, "../src");

/** The layers of docs/design.md: imports go down only, never to a neighbour of the same rank. */
const ranks: Readonly<Record<string, number>> = {
  "main.ts": 5,
  cli: 4,
  "files beside main.ts": 3,
  dashboard: 3,
  http: 2,
  store: 2,
  cluster: 2,
  client: 2,
  bus: 1,
  protocol: 0,
  text: 0,
};

/** Folders that may import less than their rank allows. */
const only: Readonly<Record<string, readonly string[]>> = { client: ["protocol"], dashboard: ["client", "text"] };

/**
 * The rooms of a folder that has some; inside it, imports go down only, too. "" is what stands in the folder itself; in
 * the bus that is both what the rooms share and what puts them together, so it has no rank.
 */
const rooms: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  bus: { consumers: 3, delivery: 3, interest: 2, access: 2, patterns: 1 },
  http: {
    "": 9,
    relay: 8,
    routes: 7,
    push: 6,
    websocket: 6,
    stream: 6,
    docs: 5,
    "docs/page": 5,
    access: 4,
    response: 3,
    request: 2,
    limits: 1,
  },
  store: { "": 5, copy: 4, check: 3, search: 3, events: 2, keys: 2, consumers: 2, disk: 2, file: 1 },
};

/** Files in one room of these folders, and in any folder; with more, it is two rooms. */
const MAX_FILES_IN_A_ROOM = 15;
const MAX_FILES_IN_A_FOLDER = 18;

/** What only one place may use; comments aside. */
const reserved = [
  { what: "Elysia", where: /^http\//, pattern: /["'](?:elysia|@elysiajs\/[^"']*)["']/ },
  { what: "SQLite", where: /^store\//, pattern: /["']bun:sqlite["']/ },
  {
    what: "the log on SQLite",
    where: /^(?:store\/|open-log\.ts|index\.ts|cli\/token\.ts|cli\/server\/cluster\.ts)/,
    pattern: /\bSqliteEventLog\b/,
  },
  { what: "NATS", where: /^cluster\//, pattern: /["']@nats-io\/[^"']*["']/ },
  { what: "the environment", where: /^config\.ts$/, pattern: /\b(?:process|Bun|import\.meta)\.env\b/ },
  { what: "the wall clock", where: /^(?!bus\/)/, pattern: /\bDate\.now\b|\bnew Date\(\s*\)/ },
  { what: "the server's runtime", where: /^(?!client\/|dashboard\/|protocol\/)/, pattern: /["'](?:bun|node):|\bBun\./ },
];

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((path) => /\.[jt]sx?$/.test(path));
const sources = new Map(files.sort().map((path) => [path, readFileSync(join(SOURCE, path), "utf8")]));
const imports = new Map([...sources].map(([path, source]) => [path, localImports(path, source)]));
const everyImport = [...imports].flatMap(([from, targets]) => targets.map((to) => ({ from, to })));

describe("the architecture", () => {
  test("gives every file a rank", () => {
    expect(files.filter((path) => ranks[houseOf(path)] === undefined)).toEqual([]);
  });

  test("lets imports go down only", () => {
    const offenders = everyImport.filter(({ from, to }) => houseOf(from) !== houseOf(to) && rankOf(from) <= rankOf(to));
    expect(offenders).toEqual([]);
  });

  for (const [house, rankOfRoom] of Object.entries(rooms)) {
    const own = everyImport.filter(({ from, to }) => houseOf(from) === house && houseOf(to) === house);

    test(`lets imports between the rooms of ${house} go down only`, () => {
      const rank = (path: string) => rankOfRoom[roomOf(path)] ?? Number.NaN;
      const isRanked = ({ from, to }: { from: string; to: string }) =>
        "" in rankOfRoom || (roomOf(from) !== "" && roomOf(to) !== "");
      const between = own.filter(({ from, to }) => roomOf(from) !== roomOf(to)).filter(isRanked);
      const offenders = between.filter(({ from, to }) => !(rank(from) > rank(to)));
      expect(offenders).toEqual([]);
    });

    test(`has no room in ${house} that is too full`, () => {
      expect(fullFolders(join(SOURCE, house), MAX_FILES_IN_A_ROOM)).toEqual([]);
    });
  }

  test("has no folder that is too full", () => {
    expect(fullFolders(SOURCE, MAX_FILES_IN_A_FOLDER)).toEqual([]);
  });

  test("keeps the client and the dashboard to what a browser may have", () => {
    const offenders = everyImport.filter(({ from, to }) => {
      const allowed = only[houseOf(from)];
      return allowed && ![houseOf(from), ...allowed].includes(houseOf(to));
    });
    expect(offenders).toEqual([]);
  });

  test("has no cycle", () => {
    expect(firstCycle(imports)).toEqual([]);
  });

  test("imports nothing outside src but package.json", () => {
    const outside = everyImport.filter(({ to }) => to.startsWith("..") && to !== "../package.json");
    expect(outside).toEqual([]);
  });

  for (const { what, where, pattern } of reserved) {
    test(`keeps ${what} in its place`, () => {
      const users = files.filter((path) => pattern.test(withoutComments(sources.get(path) ?? "")));
      expect(users.filter((path) => !where.test(path))).toEqual([]);
    });
  }
});

describe("the search for imports", () => {
  test.each([
    ['import { a } from "./a.ts";', "a.ts"],
    ['import type { A } from "./a.ts";', "a.ts"],
    ['import {\n  type A,\n  // why\n  b,\n} from "../bus/a.ts";', "../bus/a.ts"],
    ["export * from './a.ts'", "a.ts"],
    ['export type { A } from "./a.ts";', "a.ts"],
    ['import "./a.css";', "a.css"],
    ['import a from "./a.sql" with { type: "text" };', "a.sql"],
    ['const a = await import("./a.ts");', "a.ts"],
    ['let a: import("./a.ts").A;', "a.ts"],
    ['const a = require("./a.ts");', "a.ts"],
    ['new Worker(new URL("./a.ts", import.meta.url));', "a.ts"],
  ])("finds %p", (source, target) => {
    expect(localImports("b.ts", source)).toEqual([target]);
  });

  test("skips packages and comments", () => {
    expect(localImports("b.ts", 'import a from "elysia"; // import b from "./b.ts"\n/* from "./c.ts" */')).toEqual([]);
  });

  test("finds a cycle of type imports", () => {
    const cyclic = new Map([
      ["a.ts", localImports("a.ts", 'import type { B } from "./b.ts";')],
      ["b.ts", localImports("b.ts", 'import { a } from "./a.ts";')],
    ]);
    expect(firstCycle(cyclic)).toEqual(["a.ts", "b.ts", "a.ts"]);
  });
});

/** Folders with more files than `most`: this one and those below it. */
function fullFolders(folder: string, most: number): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const byFolder = Map.groupBy(entries, ({ parentPath }) => parentPath);
  return [...byFolder].filter(([, inside]) => inside.length > most).map(([path]) => path);
}

/** The files that a file imports in any way, types included, as paths within src. */
function localImports(path: string, source: string): string[] {
  const mentions = withoutComments(source).matchAll(
    /\b(?:from|import|import\s*\(|require\s*\(|new\s+URL\s*\()\s*["'](\.[^"'\n]*)["']/g,
  );
  return [...mentions].map(([, target]) => normalize(join(dirname(path), target ?? "")));
}

/** Only block comments that begin a line, for a string may hold a slash and a star. */
function withoutComments(source: string): string {
  return source.replaceAll(/^\s*\/\*.*?\*\//gms, "").replaceAll(/(?<=^|\s)\/\/.*$/gm, "");
}

function houseOf(path: string): string {
  const [first = "", ...rest] = path.split("/");
  return rest.length > 0 || first === "main.ts" ? first : "files beside main.ts";
}

/** The folder below that of the house; "" where there is none. */
function roomOf(path: string): string {
  return path.split("/").slice(1, -1).join("/");
}

function rankOf(path: string): number {
  return ranks[houseOf(path)] ?? -1;
}

/** The files of a cycle, the first one again at the end; empty if there is none. */
function firstCycle(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): string[] => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...way, path]);
      if (cycle.length > 0) return cycle;
    }
    done.add(path);
    return [];
  };
  return [...graph.keys()].map((path) => visit(path, [])).find((cycle) => cycle.length > 0) ?? [];
}
