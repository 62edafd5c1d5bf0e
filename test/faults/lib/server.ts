import { resolve } from "node:path";
import { Binary, type BinaryOptions } from "../../helpers/binary.ts";

const MAIN = resolve(import.meta.dir, "../../../src/main.ts");
const PRELOADED = resolve(import.meta.dir, "cheats.ts");

/**
 * How a server may cheat, so that a harness must notice it:
 *
 * - `late`: every other commit is left to the next one, but answered at once
 * - `deaf`: a commit that fails is answered as if it had not
 * - `hand-over`: subscribers that have read the history become live a turn too late
 * - `sweep`: a replay leaves out every seventh event
 * - `leak`: memory and descriptors are never given back
 * - `brittle`: an unknown member of a message, or a wrong parameter, is an internal error; one kind of them blocks the
 *   event loop
 * - `backtracking`: patterns with many stars take seconds
 * - `jumping`: ages are measured by the clock, which can be set
 * - `forgetful`: the conversion of an older history loses events
 * - `stale`: a copy of the history lacks the newer half of its events
 */
export const CHEATS = [
  "late",
  "deaf",
  "hand-over",
  "sweep",
  "leak",
  "brittle",
  "backtracking",
  "jumping",
  "forgetful",
  "stale",
] as const;
export type Cheat = (typeof CHEATS)[number];

/** Starts the binary; with a cheat, the same program from its sources, which cheats. */
export function startServer(options: BinaryOptions, cheat: Cheat | undefined): Promise<Binary> {
  if (cheat === undefined) return Binary.start(options);
  const program = [process.execPath, "--preload", PRELOADED, MAIN];
  return Binary.start({ ...options, program, env: { ...options.env, FAULTS_CHEAT: cheat } });
}
