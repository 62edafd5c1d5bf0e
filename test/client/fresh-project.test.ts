import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { startService } from "../helpers/service.ts";
import { TempFolder } from "../helpers/temp.ts";
import { consume } from "./consumer.ts";

const ROOT = resolve(import.meta.dir, "../..");
const folder = new TempFolder();

/** Installs what `npm pack` would hold: the package without its dependencies, of which the client has none. */
beforeAll(async () => {
  const installed = join(folder.path, "node_modules/eventbus");
  mkdirSync(installed, { recursive: true });
  cpSync(join(ROOT, "package.json"), join(installed, "package.json"));
  for (const part of ["client", "protocol"])
    cpSync(join(ROOT, "src", part), join(installed, "src", part), { recursive: true });
  const build = `import { buildClient } from ${JSON.stringify(join(ROOT, "scripts/build-client.mjs"))};
    buildClient(${JSON.stringify(join(installed, "dist/client"))});`;
  expect(await run([process.execPath, "-e", build])).toEqual({ exitCode: 0, output: "" });
  writeFileSync(join(folder.path, "package.json"), '{"name":"fresh","type":"module","private":true}');
  writeFileSync(join(folder.path, "consumer.ts"), consumer.replace("../../src/client/index.ts", "eventbus/client"));
  writeFileSync(join(folder.path, "main.ts"), MAIN);
});
afterAll(() => folder[Symbol.dispose]());

const consumer = readFileSync(join(import.meta.dir, "consumer.ts"), "utf8");
const MAIN = `import { consume } from "./consumer.js";
declare const process: { argv: string[]; stdout: { write(text: string): void } };
process.stdout.write(JSON.stringify(await consume(process.argv[2] ?? "")));
`;

async function run(command: string[]): Promise<{ exitCode: number; output: string }> {
  const child = Bun.spawn(command, { cwd: folder.path, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { exitCode: await child.exited, output: stdout + stderr };
}

/** Compiles the project with nothing but the language's and the browser's own types. */
function compile(...settings: string[]) {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noUnusedLocals"];
  const types = ["--types", "", "--lib", "ES2022,DOM", "--target", "ES2022", "--skipLibCheck", "false"];
  return run([process.execPath, compiler, ...strict, ...types, ...settings, "main.ts"]);
}

test("the program uses everything that is exported", () => {
  const index = readFileSync(join(ROOT, "src/client/index.ts"), "utf8");
  const lists = [...index.matchAll(/export (?:type )?\{([^}]*)\}/g)].map(([, names = ""]) => names);
  const names = lists.flatMap((list) => list.split(",")).map((name) => name.replace(/^\s*type /, "").trim());
  const exported = [...names.filter(Boolean), "connect"];
  expect(exported.length).toBeGreaterThan(20);
  for (const name of exported) expect(consumer).toMatch(new RegExp(`\\b${name},`));
});

const expected = [
  'published 1 2 3-4 {"total":1.1}',
  "history fresh.fourth fresh.third fresh.second fresh.first",
  'received 1 {"total":1.1} 111',
  "received 2 12345678901234567890 111",
  "received 3 null 94",
  "received 4 [1] 102",
  "states open ended after 4",
  "page fresh.fourth fresh.second",
  "page fresh.third",
  "topics 1 stats 4 0",
  "refused not_found not_found 404 undefined",
  "total 2.1",
  "hook http://127.0.0.1/ whsec_ 0 work topic 1 true 0 0",
  "verified protocol",
  "tokens consumer see 4",
];

test("the program runs in this project", async () => {
  await using service = await startService();
  expect(await consume(service.url)).toEqual(expected);
});

describe("in a new project", () => {
  test.each([
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])("the types pass with module %s and moduleResolution %s", async (module, resolution) => {
    const settings = ["--module", module, "--moduleResolution", resolution, "--noEmit"];
    expect(await compile(...settings)).toEqual({ exitCode: 0, output: "" });
  });

  test("a type error is reported", async () => {
    writeFileSync(join(folder.path, "slip.ts"), 'import { connect } from "eventbus/client";\nconnect(1);\n');
    const settings = ["--module", "nodenext", "--noEmit", "slip.ts"];
    expect((await compile(...settings)).output).toContain("slip.ts(2,9): error TS2345");
  });

  const runsWith = async (...command: string[]) => {
    await using service = await startService();
    const { exitCode, output } = await run([...command, service.url]);
    const said: string[] = exitCode === 0 ? JSON.parse(output) : [output];
    expect(said).toEqual(expected);
  };

  test.skipIf(Bun.which("node") === null)("it runs in Node", async () => {
    expect(await compile("--module", "nodenext", "--outDir", "out")).toEqual({ exitCode: 0, output: "" });
    await runsWith("node", "out/main.js");
  });

  test("it runs in Bun, from the source", () => runsWith(process.execPath, "main.ts"), 30_000);
});
