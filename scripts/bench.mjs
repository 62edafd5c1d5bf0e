// Measures the program; its arguments are described at the top of bench/run.ts.
import { bun, install, root, run } from "./toolchain.mjs";

await install();
process.exit(await run(bun(), ["bench/run.ts", ...process.argv.slice(2)], { cwd: root }));
