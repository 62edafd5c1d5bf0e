import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Binary, runBinary } from "../helpers/binary.ts";
import { publish } from "../helpers/http.ts";
import { TempFolder } from "../helpers/temp.ts";

const ROOT = resolve(import.meta.dir, "../..");
/** What a trap leaves behind. */
const MARKER = "sprung";

/** A folder in which everything that some program might obey is a trap. */
function hostileFolder(): TempFolder {
  const folder = new TempFolder();
  const write = (name: string, text: string) => writeFileSync(folder.file(name), text);
  const marker = JSON.stringify(folder.file(MARKER));
  const trap = `require("node:fs").writeFileSync(${marker}, ""); process.exit(7);\n`;
  for (const name of ["trap.js", "index.js", "index.ts", "main.ts", "bun.js"]) write(name, trap);
  const preload = 'preload = ["./trap.js"]\n[run]\nbun = true\n';
  for (const name of ["bunfig.toml", ".bunfig.toml"]) write(name, preload);
  const settings = "EVENTBUS_PORT=1\nEVENTBUS_DB=trapped.db\nEVENTBUS_NONSENSE=1\nNODE_OPTIONS=--require=./trap.js\n";
  for (const name of [".env", ".env.local", ".env.production", ".env.development"]) {
    write(name, `${settings}BUN_OPTIONS=--preload=./trap.js\nNODE_ENV=development\n`);
  }
  write("package.json", '{"type":"commonjs","main":"./trap.js","imports":{"#*":"./trap.js"},"browser":"./trap.js"}');
  write("tsconfig.json", '{"extends":"./missing.json","compilerOptions":{"paths":{"*":["./trap.js"]}}}');
  write("jsconfig.json", "{ this is no JSON");
  write(".npmrc", "node-options=--require=./trap.js\n");
  for (const name of modules()) {
    mkdirSync(join(folder.path, "node_modules", name), { recursive: true });
    write(join("node_modules", name, "package.json"), '{"main":"index.js"}');
    write(join("node_modules", name, "index.js"), trap);
  }
  return folder;
}

/** The packages that the program is made of, and those that such packages load if they are installed. */
function modules(): string[] {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as { packages: object };
  const installed = Object.keys(packages).filter((path) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path));
  return [...installed.map((path) => path.replace("node_modules/", "")), "pino-pretty", "bufferutil", "utf-8-validate"];
}

describe("in a folder full of traps the binary", () => {
  test("serves as it does anywhere else, and touches nothing but its database", async () => {
    using folder = hostileFolder();
    const before = readdirSync(folder.path);
    await using binary = await Binary.start({ folder: folder.path, env: { HOME: folder.path } });
    expect((await publish(binary.url, "a")).id).toBe(1);
    expect((await fetch(`${binary.url}/swagger/json`)).status).toBe(200);
    expect((await fetch(`${binary.url}/no/such/address`)).status).toBe(404);
    expect(await binary.stop()).toBe(0);
    const made = readdirSync(folder.path).filter((name) => !before.includes(name));
    expect(made.sort()).toEqual(["eventbus.db", "eventbus.db-reserve"]);
  });

  test("obeys no configuration of Bun in the home folder", async () => {
    using home = hostileFolder();
    mkdirSync(join(home.path, "xdg"));
    writeFileSync(join(home.path, "xdg", ".bunfig.toml"), `preload = ["${join(home.path, "trap.js")}"]\n`);
    const env = { HOME: home.path, XDG_CONFIG_HOME: join(home.path, "xdg") };
    expect(await runBinary(["version"], { env })).toMatchObject({ exitCode: 0, stderr: "" });
    expect(existsSync(join(home.path, MARKER))).toBe(false);
  });

  for (const args of [["version"], ["--help"], ["check", "--db", "missing.db"], ["trap.js"], ["run", "trap.js"]]) {
    test(`runs nothing of it: eventbus ${args.join(" ")}`, async () => {
      using folder = hostileFolder();
      await runBinary(args, { folder: folder.path });
      expect(existsSync(folder.file(MARKER))).toBe(false);
    });
  }
});

describe("the binary takes no notice of the variable", () => {
  test.each([
    ["NODE_OPTIONS", "--require=./trap.js"],
    ["BUN_INSPECT_PRELOAD", "./trap.js"],
    ["BUN_CONFIG_PRELOAD", "./trap.js"],
    ["BUN_CONFIG_FILE", "./bunfig.toml"],
    ["NODE_PATH", "./node_modules"],
    ["NODE_ENV", "development"],
    ["BUN_ENV", "development"],
  ])("%s", async (name, value) => {
    using folder = hostileFolder();
    await using binary = await Binary.start({ folder: folder.path, env: { [name]: value } });
    const { status, headers } = await fetch(`${binary.url}/api/events/publish`, { method: "POST", body: "{" });
    expect([status, headers.get("content-type")]).toEqual([400, "application/problem+json; charset=utf-8"]);
    expect(existsSync(folder.file(MARKER))).toBe(false);
  });
});

describe("what starts the binary decides what it runs, as it could anyway, by the variable", () => {
  // Bun reads these before the program begins, and has no switch against it: docs/operations.md warns of them.
  test("BUN_OPTIONS", async () => {
    using folder = hostileFolder();
    const env = { BUN_OPTIONS: "--preload=./trap.js" };
    expect(await runBinary(["version"], { folder: folder.path, env })).toMatchObject({ exitCode: 7 });
  });

  test("BUN_BE_BUN", async () => {
    using folder = hostileFolder();
    const env = { BUN_BE_BUN: "1" };
    expect(await runBinary(["trap.js"], { folder: folder.path, env })).toMatchObject({ exitCode: 7 });
  });

  test("none of them under systemd, which clears them", () => {
    const unit = readFileSync(join(ROOT, "deploy/eventbus.service"), "utf8");
    const cleared = /^UnsetEnvironment=(.+)$/m.exec(unit)?.[1]?.split(" ") ?? [];
    expect(cleared).toEqual(expect.arrayContaining(["BUN_OPTIONS", "BUN_BE_BUN", "NODE_TLS_REJECT_UNAUTHORIZED"]));
  });
});
