// Gets the NATS server that the cluster is tested with, or the version given as an argument: compiled from the Go
// module, whose content Go's checksum database pins. Does nothing if it is there already. Runs on Node 20 and on Bun;
// needs Go.
//
// NATS_SERVER_PATH=node_modules/.cache/nats-server-2.10.27 makes the tests use another version.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { install, root, run, say } from "./toolchain.mjs";

const NATS_VERSION = "2.15.2";
const exe = process.platform === "win32" ? ".exe" : "";

/** Where the program is, once this script has run. */
export const natsServer = pathOf(NATS_VERSION);

function pathOf(version) {
  return join(root, "node_modules", ".cache", `nats-server-${version}${exe}`);
}

async function main(version = NATS_VERSION) {
  await install(); // installing packages later would remove the program
  const path = pathOf(version);
  if (existsSync(path)) return 0;
  if (spawnSync("go", ["version"]).status !== 0) {
    say("Go is not installed; nats-server is compiled from its module: apt-get install golang-go");
    return 1;
  }
  say(`compiling nats-server ${version}, which takes up to three minutes the first time …`);
  const folder = join(root, "node_modules", ".cache", `.nats-server-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const exitCode = await run("go", ["install", `github.com/nats-io/nats-server/v2@v${version}`], {
    env: { ...process.env, GOBIN: folder },
    stdio: ["ignore", 2, 2],
  });
  if (exitCode === 0) renameSync(join(folder, `nats-server${exe}`), path);
  rmSync(folder, { recursive: true, force: true });
  if (exitCode === 0) say(`nats-server ${version} is in ${path}`);
  return exitCode;
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url))
  process.exit(await main(process.argv[2]));
