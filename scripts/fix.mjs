// Formats every file and applies the linter's safe fixes; what is left is for people.
import { bun, install, root, run } from "./toolchain.mjs";

await install();
process.exit(await run(bun(), ["run", "--bun", "biome", "check", "--write", "--error-on-warnings"], { cwd: root }));
