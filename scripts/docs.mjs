// Makes the pages of docs/ that are made from the code.
import { bun, install, root, run } from "./toolchain.mjs";

await install();
process.exit(await run(bun(), ["scripts/errors-page.ts"], { cwd: root }));
