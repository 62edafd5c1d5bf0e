import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** Compiles the program afresh with the project's own script; returns the file. */
export async function buildBinary(): Promise<string> {
  const { scripts } = (await Bun.file(join(ROOT, "package.json")).json()) as { scripts: Record<string, string> };
  await run(scripts["build"] === undefined ? compile() : [process.execPath, "run", "build"]);
  const binary = join(ROOT, "dist/eventbus");
  if (!existsSync(binary)) throw new Error("the build left no dist/eventbus");
  return binary;
}

/** Compiles a program of `bench/controls`, to be compared with a compiled one. */
export async function buildControl(name: string, folder: string): Promise<string> {
  const outfile = join(folder, name);
  await run(compile(join(import.meta.dir, "../controls", `${name}.ts`), outfile));
  return outfile;
}

function compile(entry = "src/main.ts", outfile = "dist/eventbus"): string[] {
  const flags = ["--compile", "--minify", "--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  return [process.execPath, "build", ...flags, entry, "--outfile", outfile];
}

async function run(argv: string[]): Promise<void> {
  const child = Bun.spawn(argv, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const [output, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`the build failed: ${output}${error}`);
}
