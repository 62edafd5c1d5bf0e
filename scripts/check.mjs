// One command that checks everything: format and lint, types, dead exports, then every test, including that of the
// architecture. With --no-tests it stops before the tests.
import { bun, install, root, run, say } from "./toolchain.mjs";

await install();
const steps = {
  "format and lint": ["run", "--bun", "biome", "check", "--error-on-warnings"],
  types: ["run", "--bun", "tsc"],
  "dead exports": ["run", "--bun", "knip"],
  ...(process.argv.includes("--no-tests") ? {} : { tests: ["scripts/test.mjs"] }),
};
const failed = [];
for (const [name, args] of Object.entries(steps)) {
  say(`checking ${name} …`);
  if ((await run(bun(), args, { cwd: root })) !== 0) failed.push(name);
}
say(failed.length === 0 ? "all is well" : `not in order: ${failed.join(", ")}`);
process.exit(failed.length === 0 ? 0 : 1);
