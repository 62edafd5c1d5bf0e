// Runs the tests, or those whose path contains one of the arguments; other flags of `bun test` pass through.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, bun, install, root, run } from "./toolchain.mjs";

await install();
await build();
const folder = mkdtempSync(join(tmpdir(), "eventbus-test-"));
const leftOut = join(folder, "left-out");
const exitCode = await run(bun(), ["test", "--timeout=180000", ...process.argv.slice(2)], {
  cwd: root,
  env: { ...process.env, EVENTBUS_TEST_LEFT_OUT: leftOut },
});
if (existsSync(leftOut)) {
  const rule = "─".repeat(100);
  process.stderr.write(
    `\n${rule}\nSKIPPED: a required program is not installed\n${readFileSync(leftOut, "utf8")}${rule}\n`,
  );
}
rmSync(folder, { recursive: true });
process.exit(exitCode);
