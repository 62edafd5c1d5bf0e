import { resolve } from "node:path";
import { Binary, type BinaryOptions } from "../../helpers/binary.ts";

const MAIN = resolve(import.meta.dir, "../../../src/main.ts");
const CHEATS = resolve(import.meta.dir, "cheats.ts");

/** How a server may cheat: see cheats.ts. */
export type Cheat = "late" | "deaf";

/** Starts the binary; with a cheat, the same program from its sources, with a storage that cheats. */
export function startServer(options: BinaryOptions, cheat: Cheat | undefined): Promise<Binary> {
  if (cheat === undefined) return Binary.start(options);
  const program = [process.execPath, "--preload", CHEATS, MAIN];
  return Binary.start({ ...options, program, env: { ...options.env, FAULTS_CHEAT: cheat } });
}
