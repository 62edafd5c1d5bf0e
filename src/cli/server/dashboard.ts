import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Below the server's root; separate from `/api`, and from anything else that a proxy serves there. */
const FOLDER = "dashboard";

/**
 * Bundles the dashboard: from the path below the server's root to the content in base64.
 *
 * Import it as a macro: then it runs when the program is compiled, and its result is part of the program; with
 * `bun src/main.ts` it runs each time. It starts a process, as a bundler that waits for a macro cannot bundle.
 */
export function bundleDashboard(): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), "eventbus-dashboard-"));
  try {
    const { exitCode, stderr } = Bun.spawnSync([
      process.execPath,
      "build",
      join(import.meta.dir, "../../dashboard/index.html"),
      "--production",
      "--target=browser",
      "--entry-naming=[name].[ext]",
      `--chunk-naming=${FOLDER}/[name]-[hash].[ext]`,
      `--asset-naming=${FOLDER}/[name]-[hash].[ext]`,
      "--outdir",
      folder,
    ]);
    if (exitCode !== 0) throw new Error(`the dashboard does not build:\n${stderr}`);
    return filesIn(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function filesIn(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(
    paths.sort().map((path) => [path.slice(folder.length + 1).replaceAll("\\", "/"), readFileSync(path, "base64")]),
  );
}
