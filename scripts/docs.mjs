// Writes the pages of docs/ that are made from the code.
import { bun, install, root, run } from "./toolchain.mjs";

await install();
for (const script of ["scripts/errors-page.ts", "scripts/cli-page.ts"]) {
  const exitCode = await run(bun(), [script], { cwd: root });
  if (exitCode !== 0) process.exit(exitCode);
}
