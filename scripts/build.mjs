// Compiles dist/eventbus. The argument says which architecture it is for, in the words of containers (amd64, arm64), and of
// Linux; without one it is for this machine.
import { build, compile, install, program } from "./toolchain.mjs";

/** Programs for Linux: for amd64 the one that needs no AVX2. */
const targets = { amd64: "bun-linux-x64-baseline", arm64: "bun-linux-arm64" };
const here = { x64: "amd64", arm64: "arm64" }[process.arch];

const [architecture = ""] = process.argv.slice(2);
if (architecture === "" || architecture === here) await build();
else if (architecture in targets) {
  await install();
  await compile(program, targets[architecture]);
} else throw new Error(`there is no program for ${architecture}: ${Object.keys(targets).join(", ")}`);
