import { join } from "node:path";
import type { Context } from "./bench.ts";
import { Child } from "./child.ts";

export interface ScriptRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** Runs `bench/NAME.bench.ts`, which measures by itself, and resolves with what it wrote with `--json`. */
export async function runScript(
  context: Context,
  name: string,
  flags: readonly string[] = [],
): Promise<readonly ScriptRow[]> {
  const json = join(context.folder, `${name}.json`);
  const logFile = join(context.folder, `${name}.log`);
  const script = join(import.meta.dir, "..", `${name}.bench.ts`);
  const child = new Child([process.execPath, script, "--json", json, ...flags], { role: "server", logFile });
  const exitCode = await child.exited;
  if (!(await Bun.file(json).exists())) throw new Error(`${name}.bench.ts ended with ${exitCode}: ${child.log}`);
  const { rows } = (await Bun.file(json).json()) as { rows: ScriptRow[] };
  await Bun.file(json).delete();
  return rows;
}
