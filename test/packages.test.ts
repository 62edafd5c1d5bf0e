import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { childEnvironment } from "../src/config.ts";
import { startService } from "./helpers/service.ts";
import { TempFolder } from "./helpers/temp.ts";

const ROOT = resolve(import.meta.dir, "..");
const PACKED = join(ROOT, "dist/packages");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
const folder = new TempFolder();
/** Packing the program, and installing it, takes its time on a small machine. */
const SLOW_MS = 120_000;

async function run(...command: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  // No other configuration of npm, and no registry: what is needed is there.
  const env = { ...childEnvironment({ npm_config_offline: "true" }), npm_config_userconfig: undefined };
  const child = Bun.spawn(command, { cwd: folder.path, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { exitCode: await child.exited, stdout, stderr };
}

describe.skipIf(Bun.which("node") === null || Bun.which("npm") === null)("the packages for npm", () => {
  beforeAll(async () => {
    expect(await run("node", join(ROOT, "scripts/packages.mjs"), "--local")).toMatchObject({ exitCode: 0 });
    writeFileSync(folder.file("package.json"), '{"name":"fresh","type":"module","private":true}');
    const packages = readdirSync(PACKED).filter((name) => name.endsWith(".tgz"));
    const flags = ["--no-audit", "--no-fund", "--omit=optional"];
    const files = packages.map((name) => join(PACKED, name));
    expect(await run("npm", "install", ...flags, ...files)).toMatchObject({ exitCode: 0 });
  }, SLOW_MS);
  afterAll(() => folder[Symbol.dispose]());

  const manifestOf = (name: string) =>
    JSON.parse(readFileSync(join(folder.path, "node_modules/@eventbus", name, "package.json"), "utf8"));

  test("have no install script, and no dependency but the programs", () => {
    for (const name of ["client", "cli"]) {
      expect(manifestOf(name)).toMatchObject({ name: `@eventbus/${name}`, version, license: "MIT" });
      expect(Object.keys(manifestOf(name))).not.toContain("scripts");
      expect(Object.keys(manifestOf(name))).not.toContain("dependencies");
    }
    expect(Object.values(manifestOf("cli").optionalDependencies)).toEqual(Array(8).fill(version));
  });

  test("the launcher passes on arguments, signals and the exit code", async () => {
    expect(await run("npx", "eventbus", "version")).toMatchObject({ exitCode: 0, stdout: `${version}\n` });
    expect(await run("npx", "eventbus", "--nope")).toMatchObject({ exitCode: 2 });
    const launcher = folder.file("node_modules/.bin/eventbus");
    const child = Bun.spawn([launcher, "--port", "0", "--db", ":memory:"], { stderr: "pipe" });
    for await (const chunk of child.stderr) if (new TextDecoder().decode(chunk).includes("listening")) break;
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test(
    "the client runs in Node, is small, and has its types",
    async () => {
      await using service = await startService();
      writeFileSync(
        folder.file("main.js"),
        `import { connect } from "@eventbus/client";
      const bus = connect(process.argv[2]);
      await bus.publish("a.b", { total: 25 });
      for await (const event of bus.subscribe("a.*", { since: "all" })) { console.log(event.id, event.data.total); break; }
      bus.close();`,
      );
      expect(await run("node", "main.js", service.url)).toMatchObject({ exitCode: 0, stdout: "1 25\n" });
      const client = folder.file("node_modules/@eventbus/client");
      expect(statSync(join(client, "index.js")).size).toBeLessThan(100_000);
      writeFileSync(folder.file("slip.ts"), 'import { connect } from "@eventbus/client";\nconnect(1);\n');
      const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
      const slip = await run(process.execPath, compiler, "--module", "nodenext", "--noEmit", "--types", "", "slip.ts");
      expect(slip.stdout).toContain("slip.ts(2,9): error TS2345");
    },
    SLOW_MS,
  );
});
