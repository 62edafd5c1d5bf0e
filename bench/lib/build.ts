import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** Compiles the program with the project's own script, unless nothing has changed since; returns the file. */
export async function buildBinary(): Promise<string> {
  await run([process.execPath, "scripts/build.mjs"]);
  return join(ROOT, "dist/eventbus");
}

/** Compiles a program of `bench/controls` as the project's script would, to be compared with a compiled one. */
export async function buildControl(name: string, folder: string): Promise<string> {
  const outfile = join(folder, name);
  const entry = join(import.meta.dir, "../controls", `${name}.ts`);
  await run([process.execPath, "build", "--compile", "--format=esm", "--bytecode", entry, "--outfile", outfile]);
  return outfile;
}

async function run(argv: string[]): Promise<void> {
  const child = Bun.spawn(argv, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const [output, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`the build failed: ${output}${error}`);
}
