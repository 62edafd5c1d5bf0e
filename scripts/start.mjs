import { build, program, run } from "./toolchain.mjs";

await build();
process.exit(await run(program, process.argv.slice(2)));
